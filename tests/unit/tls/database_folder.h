/* database_folder.h: a test's own NSS database, in a folder of its own, open and writable. */
#ifndef YETT_TESTS_UNIT_TLS_DATABASE_FOLDER_H
#define YETT_TESTS_UNIT_TLS_DATABASE_FOLDER_H

#include "tls/manage/issue.h"
#include "tls/pem.h"

extern char database_folder[]; /* its path, after the start */

/* For cmocka, as they are or called by a test's own; *state is left alone. */
int database_folder_start(void **state);
int database_folder_stop(void **state);

/* What follows must succeed, or the test has failed. Files are named within the folder. */
enum { DATABASE_FOLDER_NOW = 1750000000 };

void database_folder_shell(const char *command);
struct tls_pem database_folder_pem(const char *name);
struct span database_folder_block(const struct tls_pem *pem, size_t index);

void database_folder_import(const char *name, char sha256[65]);
void database_folder_delete(const char *sha256);
size_t database_folder_count(void);

/* A certificate with its key, made in the database. */
struct tls_issued database_folder_issue(const char *subject, unsigned use, enum tls_key_type type);

#endif
