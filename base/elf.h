/* base/elf.h: whether a library is as long as it says.
 *
 * The loader maps what the program headers name and trusts them; what lies behind the end of the file is no memory, and
 * whoever touches it dies by SIGBUS, without a word: an installation or a copy that was cut short does that. Nothing
 * else is judged, the loader says the rest. Threads: no state. */
#ifndef YETT_BASE_ELF_H
#define YETT_BASE_ELF_H

#include "base/base.h"

/* False with a sentence that begins with the path: it is empty, or ends before a segment that is to be loaded does.
 * True also for what is no ELF file of this machine's word size, or cannot be read: the loader has words for these. */
MUST_CHECK bool base_elf_is_whole(const char *path, char **error);

#endif
