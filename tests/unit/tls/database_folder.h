/* database_folder.h: a test's own NSS database, in a folder of its own, open and writable. */
#ifndef YETT_TESTS_UNIT_TLS_DATABASE_FOLDER_H
#define YETT_TESTS_UNIT_TLS_DATABASE_FOLDER_H

extern char database_folder[]; /* its path, after the start */

/* For cmocka, as they are or called by a test's own; *state is left alone. */
int database_folder_start(void **state);
int database_folder_stop(void **state);

#endif
