/* proxy/commands/token_report.h: what a module and its tokens are, as text or as JSON.
 *
 * Everything goes into JSON first; the text is made from that, so that the two cannot differ. */
#ifndef YETT_PROXY_COMMANDS_TOKEN_REPORT_H
#define YETT_PROXY_COMMANDS_TOKEN_REPORT_H

#include "tokens/manage/manage.h"

#include <stdio.h>

enum token_report_form { TOKEN_REPORT_TEXT, TOKEN_REPORT_JSON };

/* One line per token and, indented, one per object, as pkcs11: URIs. */
MUST_CHECK bool token_report_list(struct tokens_module *module, FILE *out, enum token_report_form form, char **error);

/* See tokens_info(). */
MUST_CHECK bool token_report_info(struct tokens_module *module, const char *uri, FILE *out, enum token_report_form form,
                                  char **error);

#endif
