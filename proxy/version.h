/* proxy/version.h: which yett this is. */
#ifndef YETT_PROXY_VERSION_H
#define YETT_PROXY_VERSION_H

const char *yett_version(void);

#endif
