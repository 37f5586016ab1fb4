/* see tests/unit/proxy/scripted_worker.h */
#include "scripted_worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(enum worker_event event, const char *text)
{
    struct worker_message message = {.event = event};

    snprintf(message.text, sizeof(message.text), "%s", text);
    if (!worker_send(WORKER_CONTROL_FD, &message, -1))
        _exit(10);
}

/* Reads until `event`. Exits when the supervisor's end closes. Counts what else came. */
static struct worker_message wait_for(enum worker_event event, unsigned counts[WORKER_EVENT_COUNT], int *counters_fd)
{
    struct worker_message message;
    int fd, got;

    while ((got = worker_receive(WORKER_CONTROL_FD, &message, &fd)) == 1) {
        counts[message.event]++;
        if (message.event == WORKER_STOP && event != WORKER_STOP)
            _exit(0);
        if (message.event == WORKER_INTERMEDIATE)
            say(WORKER_INTERMEDIATE, message.text);
        if (message.event == WORKER_COUNTERS)
            *counters_fd = fd;
        else if (fd >= 0)
            close(fd);
        if (message.event == event)
            return message;
    }
    _exit(got == 0 ? 0 : 11);
}

/* "rude PHASE EVENT FILE": comes into the phase, says that, with a descriptor or without, and waits for what happens.
 */
static int rude_worker(const char *script)
{
    unsigned phase, event, has_file, counts[WORKER_EVENT_COUNT] = {0};
    struct worker_message message = {.text = "rude"};
    int counters_fd;

    if (sscanf(script, "rude %u %u %u", &phase, &event, &has_file) != 3)
        return 15;
    wait_for(WORKER_START, counts, &counters_fd);
    if (phase != WORKER_STARTING)
        say(WORKER_READY, "");
    if (phase == WORKER_ACCEPTING)
        wait_for(WORKER_INTERMEDIATE, counts, &counters_fd); /* all are ready */
    if (phase == WORKER_DRAINING)
        wait_for(WORKER_DRAIN, counts, &counters_fd);
    if (phase == WORKER_STOPPING)
        wait_for(WORKER_STOP, counts, &counters_fd);
    message.event = (enum worker_event)event;
    if (!worker_send(WORKER_CONTROL_FD, &message, has_file != 0 ? STDERR_FILENO : -1))
        return 16;
    for (;;)
        pause();
}

int scripted_worker(void)
{
    const char *script = getenv("YETT_TEST_WORKER");
    unsigned counts[WORKER_EVENT_COUNT] = {0};
    struct worker_message start;
    struct counters *counters;
    int counters_fd = -1;

    if (strcmp(script, "crash") == 0)
        raise(SIGKILL);
    if (strncmp(script, "rude ", 5) == 0)
        return rude_worker(script);
    start = wait_for(WORKER_START, counts, &counters_fd);
    if (counts[WORKER_CONFIG] != 1 || counts[WORKER_TICKET_KEY] != 1 || counts[WORKER_COUNTERS] != 1)
        return 12;
    if (strcmp(script, "fail") == 0 || (strcmp(script, "fail-second") == 0 && start.slot == 1)) {
        say(WORKER_FAILED, "t.conf:3: no such key\nt.conf:4: nor this one");
        return 1;
    }
    counters = counters_map(counters_fd, 1);
    close(counters_fd);
    if (counters == NULL)
        return 13;
    counter_add(counters_service(counters, 0), COUNTER_connections_total, 7);
    counter_add(counters_service(counters, 0), COUNTER_connections_open, 1);
    counter_add(counters_service(counters, 0), COUNTER_client_sent_bytes_total, counts[WORKER_LISTENER]);
    if (counts[WORKER_INTERMEDIATES] != 0)
        return 14; /* nothing is known */
    if (strcmp(script, "learn") == 0)
        say(WORKER_INTERMEDIATE, "learnt");
    for (unsigned i = 0; strcmp(script, "flood") == 0 && i < SCRIPTED_WORKER_FLOOD; i++)
        say(WORKER_INTERMEDIATE, "flood");
    if (strcmp(script, "warn") == 0 && start.slot == 0) {
        say(WORKER_WARNING, "t.conf:3: warning: it is old");
        say(WORKER_WARNING, "t.conf:4: warning: so is this");
    }
    say(WORKER_READY, strcmp(script, "away") == 0 && start.slot == 1 ? "held\nnone\naway" : "held\nnone");
    if (strcmp(script, "deaf") == 0)
        for (;;)
            pause();
    wait_for(WORKER_DRAIN, counts, &counters_fd);
    if (counts[WORKER_RETIRE] != (strcmp(script, "retire") == 0 ? 1 : 0))
        return 17;
    say(WORKER_DRAINED, "");
    counters_destroy(&counters);
    return strcmp(script, "bad-end") == 0 ? 3 : 0;
}
