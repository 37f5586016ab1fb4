/* see base/elf.h */
#include "base/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_native(const ElfW(Ehdr) * header, size_t size)
{
    const unsigned char class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;

    return size == sizeof(*header) && header->e_ident[EI_CLASS] == class && header->e_phentsize == sizeof(ElfW(Phdr));
}

/* Where what is loaded ends, as its headers have it. A header table that is itself cut off ends behind the file. */
static uint64_t end_of_segments(int fd, const ElfW(Ehdr) * header)
{
    uint64_t end = (uint64_t)header->e_phoff + (uint64_t)header->e_phnum * sizeof(ElfW(Phdr));

    for (unsigned i = 0; i < header->e_phnum; i++) {
        ElfW(Phdr) segment;
        uint64_t at = (uint64_t)header->e_phoff + i * sizeof(segment);

        if (at > INT64_MAX || pread(fd, &segment, sizeof(segment), (off_t)at) != (ssize_t)sizeof(segment))
            break;
        if (segment.p_type != PT_LOAD)
            continue;
        if (segment.p_filesz > UINT64_MAX - segment.p_offset)
            return UINT64_MAX;
        if (segment.p_offset + segment.p_filesz > end)
            end = segment.p_offset + segment.p_filesz;
    }
    return end;
}

bool base_elf_is_whole(const char *path, char **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ElfW(Ehdr) header = {.e_phnum = 0};
    uint64_t end = 0, size;
    struct stat info;
    ssize_t got;

    if (fd < 0)
        return true;
    got = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) ? pread(fd, &header, sizeof(header), 0) : -1;
    size = got < 0 ? 0 : (uint64_t)info.st_size;
    if (got == 0)
        end = sizeof(header); /* an empty file */
    else if (got >= SELFMAG && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0)
        end = is_native(&header, (size_t)got) ? end_of_segments(fd, &header)
              : (size_t)got < sizeof(header)  ? sizeof(header)
                                              : 0;
    close(fd);
    if (end <= size)
        return true;
    *error = base_printf("%s: is cut short: it has %llu bytes, and by its own headers at least %llu; install it again",
                         path, (unsigned long long)size, (unsigned long long)end);
    return false;
}
