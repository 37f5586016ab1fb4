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

void database_folder_shell(const char *command)
{
    char *line = base_printf("cd %s && { %s; } 2>/dev/null", database_folder, command);

    if (system(line) != 0)
        fail_msg("%s", line);
    free(line);
}

struct tls_pem database_folder_pem(const char *name)
{
    char *path = base_printf("%s/%s", database_folder, name), *error = NULL;
    struct tls_pem pem;

    if (!tls_pem_read_file(path, &tls_pem_identity, BASE_FILE_ANY, &pem, &error))
        fail_msg("%s", error);
    free(path);
    return pem;
}

struct span database_folder_block(const struct tls_pem *pem, size_t index)
{
    assert_true(index < pem->count);
    return span_of(pem->blocks[index].der, pem->blocks[index].size);
}

void database_folder_import(const char *name, char sha256[65])
{
    struct tls_pem pem = database_folder_pem(name);
    char *error = NULL;

    if (!tls_database_import_cert(database_folder_block(&pem, 0), sha256, &(unsigned){0}, &error))
        fail_msg("%s", error);
    tls_pem_clear(&pem);
}

size_t database_folder_count(void)
{
    struct tls_database_list list;
    char *error = NULL;
    size_t count;

    assert_true(tls_database_list(&list, &error));
    count = list.count;
    tls_database_list_clear(&list);
    return count;
}

void database_folder_delete(const char *sha256)
{
    char *error = NULL;

    if (!tls_database_delete(sha256, TLS_DATABASE_DELETE_KEY, &error))
        fail_msg("%s", error);
}

struct tls_issued database_folder_issue(const char *subject, unsigned use, enum tls_key_type type)
{
    struct tls_issued issued;
    char *error = NULL;

    if (!tls_issue(
            &(struct tls_issue_options){.subject = subject, .use = use, .key_type = type, .now = DATABASE_FOLDER_NOW},
            &issued, &error))
        fail_msg("%s", error);
    return issued;
}
