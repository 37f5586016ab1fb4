/* tls/database_files.h: the folder and the files of an NSS database, as files. Needs no NSS. */
#ifndef YETT_TLS_DATABASE_FILES_H
#define YETT_TLS_DATABASE_FILES_H

#include "base/base.h"

/* With TLS_DATABASE_CREATE make the folder of "sql:DIR" (mode 0700, and those above it) unless it is there; *made says
 * whether it was made. Then as tls_database_may_be_opened(), to read. */
enum tls_database_mode { TLS_DATABASE_EXISTING, TLS_DATABASE_CREATE };
MUST_CHECK bool tls_database_prepare(const char *database, enum tls_database_mode mode, bool *made, char **error);

/* Whether this process may open it; if not, whose what is, its mode, and who we are. A folder that others may write to
 * is refused: who can write there can add a trusted authority. So are keys that everybody may read. */
MUST_CHECK bool tls_database_may_be_opened(const char *database, bool writable, char **error);

#endif
