/* tokens/library.h: where yett's own shared objects are. */
#ifndef YETT_TOKENS_LIBRARY_H
#define YETT_TOKENS_LIBRARY_H

/* The path of the shared object `name`: beside the program, in ../lib/yett (the build tree), or where it was installed;
 * NULL when it is in none of them. Owned by the caller. */
char *tokens_library_find(const char *name);

/* The last of these, for messages: a string constant. */
const char *tokens_library_directory(void);

#endif
