/* see config/config.h and config/findings.h */
#include "config/findings.h"

#include <stdlib.h>

void config_finding_add(struct config_findings *findings, struct config_place place, const char *fmt, ...)
{
    struct config_finding *finding;
    va_list args;

    if (findings->count == CONFIG_FINDINGS_MAX)
        return;
    findings->items = base_realloc_array(findings->items, findings->count + 1, sizeof(*findings->items));
    finding = &findings->items[findings->count++];
    finding->file = base_strdup(place.file == NULL ? "" : place.file);
    finding->line = place.line;
    if (findings->count == CONFIG_FINDINGS_MAX) {
        finding->message = base_strdup("there are more findings, which are left out");
        return;
    }
    va_start(args, fmt);
    finding->message = base_vprintf(fmt, args);
    va_end(args);
}

void config_note_add(struct config_findings *findings, enum config_note_kind kind, const char *event,
                     struct config_place place, const char *fmt, ...)
{
    struct config_note *note;
    va_list args;

    if (findings->note_count == CONFIG_FINDINGS_MAX)
        return;
    findings->notes = base_realloc_array(findings->notes, findings->note_count + 1, sizeof(*findings->notes));
    note = &findings->notes[findings->note_count++];
    *note = (struct config_note){.event = event, .is_warning = kind == CONFIG_NOTE_WARNING};
    note->what.file = base_strdup(place.file == NULL ? "" : place.file);
    note->what.line = place.line;
    va_start(args, fmt);
    note->what.message = base_vprintf(fmt, args);
    va_end(args);
}

void config_findings_clear(struct config_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->items[i].file);
        free(findings->items[i].message);
    }
    for (size_t i = 0; i < findings->note_count; i++) {
        free(findings->notes[i].what.file);
        free(findings->notes[i].what.message);
    }
    free(findings->items);
    free(findings->notes);
    *findings = (struct config_findings){.items = NULL};
}

char *config_finding_text(const struct config_finding *finding)
{
    return finding->line == 0 ? base_printf("%s: %s", finding->file, finding->message)
                              : base_printf("%s:%u: %s", finding->file, finding->line, finding->message);
}

static size_t file_index(const char *file, char *const *files, size_t file_count)
{
    size_t i = 0;

    while (i < file_count && strcmp(file, files[i]) != 0)
        i++;
    return i;
}

/* An insertion sort: stable, and what is found is nearly in order already. */
void findings_sort(struct config_findings *findings, size_t first, char *const *files, size_t file_count)
{
    /* The last of a full list says that there are more, and stays last. */
    size_t end = findings->count == CONFIG_FINDINGS_MAX ? findings->count - 1 : findings->count;

    for (size_t i = first + 1; i < end; i++) {
        struct config_finding moved = findings->items[i];
        size_t moved_file = file_index(moved.file, files, file_count);
        size_t at = i;

        for (; at > first; at--) {
            const struct config_finding *before = &findings->items[at - 1];
            size_t before_file = file_index(before->file, files, file_count);

            if (before_file < moved_file || (before_file == moved_file && before->line <= moved.line))
                break;
            findings->items[at] = findings->items[at - 1];
        }
        findings->items[at] = moved;
    }
}
