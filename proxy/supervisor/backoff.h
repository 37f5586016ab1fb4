/* proxy/supervisor/backoff.h: how long to wait before a process that died is started again.
 *
 * The first death is answered at once; a process that dies again before it was ever ready waits longer each time. Pure.
 */
#ifndef YETT_PROXY_SUPERVISOR_BACKOFF_H
#define YETT_PROXY_SUPERVISOR_BACKOFF_H

#include "base/base.h"

enum { BACKOFF_MS_MAX = 5000 };

/* `deaths`: how many times in a row it died without having become ready, this one included; 0: it had been ready. */
uint64_t backoff_ms(unsigned deaths);

#endif
