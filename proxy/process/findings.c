/* see proxy/process/findings.h */
#include "proxy/process/findings.h"

#include "proxy/process/log.h"

#include <stdio.h>
#include <stdlib.h>

char *findings_text(const struct config_findings *findings)
{
    char *text = base_strdup("");

    for (size_t i = 0; i < findings->count; i++) {
        const struct config_finding *f = &findings->items[i];
        const char *separator = i == 0 ? "" : "\n";
        char *longer = f->line == 0 /* of the whole file, of no line */
                           ? base_printf("%s%s%s: %s", text, separator, f->file, f->message)
                           : base_printf("%s%s%s:%u: %s", text, separator, f->file, f->line, f->message);

        free(text);
        text = longer;
    }
    return text;
}

void findings_log(const char *event, const char *report)
{
    while (*report != '\0') {
        size_t size = strcspn(report, "\n");

        log_line(LOG_LEVEL_ERROR, event, log_span("reason", span_of(report, size)));
        report += size + (report[size] == '\n' ? 1 : 0);
    }
}

void findings_log_notes(const struct config_findings *findings)
{
    for (size_t i = 0; i < findings->note_count; i++) {
        const struct config_note *note = &findings->notes[i];
        char *place = note->what.line == 0 ? base_strdup(note->what.file)
                                           : base_printf("%s:%u", note->what.file, note->what.line);

        log_line(note->is_warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, note->event, log_text("place", place),
                 log_text("reason", note->what.message));
        free(place);
    }
}

char *findings_warnings_text(const struct config_findings *findings)
{
    char *text = base_strdup("");

    for (size_t i = 0; i < findings->note_count; i++) {
        const struct config_note *note = &findings->notes[i];
        char line[16] = "", *longer;

        if (!note->is_warning)
            continue;
        if (note->what.line != 0)
            snprintf(line, sizeof(line), ":%u", note->what.line);
        longer = base_printf("%s%s%s%s: warning: %s", text, text[0] == '\0' ? "" : "\n", note->what.file, line,
                             note->what.message);
        free(text);
        text = longer;
    }
    return text;
}

void findings_print_notes(const struct config_findings *findings)
{
    for (size_t i = 0; i < findings->note_count; i++) {
        const struct config_note *note = &findings->notes[i];

        printf("%s", note->what.file);
        if (note->what.line != 0)
            printf(":%u", note->what.line);
        printf(": %s: %s\n", note->is_warning ? "warning" : "note", note->what.message);
    }
}
