/* proxy/process/findings.h: findings as text, for a terminal, a reply or the log. Threads: any. */
#ifndef YETT_PROXY_PROCESS_FINDINGS_H
#define YETT_PROXY_PROCESS_FINDINGS_H

#include "config/config.h"

/* One "FILE:LINE: message" a line, without a newline at the end; owned by the caller. */
char *findings_text(const struct config_findings *findings);

/* One log line at level error for each line of `report`. */
void findings_log(const char *event, const char *report);

/* Every note as a log line of its event and level, with the place in the field "place". */
/* Those of them that are warnings, "FILE:LINE: warning: message" a line, for somebody who waits; "" when there are
 * none. The caller's. */
char *findings_warnings_text(const struct config_findings *findings);
void findings_log_notes(const struct config_findings *findings);

/* Every note as "FILE:LINE: warning: message" or "... note: message", on standard output. */
void findings_print_notes(const struct config_findings *findings);

#endif
