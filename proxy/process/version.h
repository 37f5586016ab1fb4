/* proxy/process/version.h: which yett this is. */
#ifndef YETT_PROXY_PROCESS_VERSION_H
#define YETT_PROXY_PROCESS_VERSION_H

const char *yett_version(void);

#endif
