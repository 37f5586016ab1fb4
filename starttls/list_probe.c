/* see starttls/list_probe.h */
#include "starttls/list_probe.h"

const char *const list_probe_state_names[LIST_PROBE_STATE_COUNT] = {"PROBE_GREETING", "PROBE_HELLO", "PROBE_LIST",
                                                                    "PROBE_GOODBYE", "PROBE_READY"};

static const struct list_probe_class *class_of(const struct starttls_machine *m)
{
    return CONST_CONTAINER_OF(m->class, struct list_probe_class, class);
}

void list_probe_start(struct starttls_machine *m)
{
    machine_open_capabilities(m);
    machine_enter(m, m->options.upgrade ? LIST_PROBE_HELLO : LIST_PROBE_GREETING);
}

static enum starttls_status on_listed(struct starttls_machine *m, struct span line)
{
    struct list_probe *p = CONTAINER_OF(m, struct list_probe, m);
    struct span parameters;
    bool has_parameters;

    if (span_equal(line, span_of_string("."))) {
        machine_enter(m, LIST_PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    }
    if (p->lines++ == class_of(m)->lines_max)
        return machine_broken(m, "the server sent a list of more than %u capabilities", class_of(m)->lines_max);
    machine_note_capability(m, text_word(line, &parameters, &has_parameters));
    return STARTTLS_NEED_MORE;
}

enum starttls_status list_probe_on_line(struct starttls_machine *m, struct span line)
{
    enum list_probe_answer answer;

    if (m->state == LIST_PROBE_LIST)
        return on_listed(m, line);
    answer = class_of(m)->answer_of((enum list_probe_state)m->state, line);
    if (answer == LIST_PROBE_ANSWER_NONE)
        return machine_broken_by(m, "the server sent something that is not a reply", line);
    switch ((enum list_probe_state)m->state) {
    case LIST_PROBE_GREETING:
        if (answer != LIST_PROBE_ANSWER_GOOD)
            return machine_refused_by(m, STARTTLS_REFUSAL_SERVICE, "the server does not want to serve", line);
        machine_enter(m, LIST_PROBE_HELLO);
        return STARTTLS_NEED_MORE;
    case LIST_PROBE_HELLO:
        if (answer == LIST_PROBE_ANSWER_BYE)
            return machine_refused_by(m, STARTTLS_REFUSAL_GOODBYE, "the server said goodbye", line);
        machine_enter(m, answer == LIST_PROBE_ANSWER_GOOD ? LIST_PROBE_LIST : LIST_PROBE_GOODBYE);
        return STARTTLS_NEED_MORE;
    case LIST_PROBE_GOODBYE:
        machine_enter(m, LIST_PROBE_READY);
        return STARTTLS_READY;
    case LIST_PROBE_LIST:
    case LIST_PROBE_READY:
    case LIST_PROBE_STATE_COUNT:
        break;
    }
    return machine_broken_by(m, "the server speaks out of turn", line);
}
