/* see database_folder.h */
#include "database_folder.h"

#include "tls/manage/database.h"
#include "tls/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

char database_folder[] = "/tmp/yett-test-database-XXXXXX";

int database_folder_start(void **state)
{
    char *error = NULL, *database;
    bool ok;

    (void)state;
    if (mkdtemp(database_folder) == NULL)
        return 1;
    database = base_printf("sql:%s", database_folder);
    ok = tls_runtime_start(&(struct tls_runtime_options){.database = database, .database_writable = true}, &error) &&
         tls_database_unlock(NULL, &error);
    if (!ok)
        print_error("%s\n", error);
    free(database);
    return !ok;
}

int database_folder_stop(void **state)
{
    char *error = NULL, *command = base_printf("rm -r %s", database_folder);
    bool ok = tls_runtime_stop(&error);

    (void)state;
    if (!ok)
        print_error("%s\n", error);
    ok = system(command) == 0 && ok;
    free(command);
    return !ok;
}
