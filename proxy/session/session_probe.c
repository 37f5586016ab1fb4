/* see proxy/session/session_internal.h: a look at a target, without a client.
 *
 * A server that speaks TLS 1.3 can refuse our certificate after its handshake is over for us (RFC 8446
 * section 4.4.2.4): nothing is known before it has said something inside TLS. Where the protocol can be asked
 * something, the answer shows it; elsewhere we say close_notify, and whoever objects has LIMIT_PROBE_SETTLE_MS to send
 * an alert. */
#include "proxy/session/session_internal.h"

#include "proxy/process/limits.h"
#include "starttls/proxy_header.h"
#include <stdlib.h>
#include <string.h>

/* ---- what is found ---- */

static void add(char **text, char *more)
{
    char *longer = base_printf("%s%s", *text == NULL ? "" : *text, more);

    free(*text);
    free(more);
    *text = longer;
}

static char *subject_of(struct span cert)
{
    struct pkix_identity identity;
    char *subject;

    if (cert.size == 0 || !pkix_identity_read(cert, &identity))
        return base_strdup("(not verified)");
    subject = base_strdup(identity.subject);
    pkix_identity_clear(&identity);
    return subject;
}

static void add_tls(struct session *s)
{
    const struct service *service = s->service;
    struct tls_session_info tls = tls_engine_session(leg_engine(&s->target));
    char *subject = subject_of(tls.peer_cert);

    add(&s->probe->text, base_printf("%s%s %s %s, certificate of %s",
                                     service->config->connect_tls == CONFIG_TLS_STARTTLS ? "STARTTLS, " : "",
                                     tls.version, tls.cipher, tls.group, subject));
    free(subject);
    if (tls.identity != NULL) {
        subject = subject_of(tls_identity_leaf(tls.identity));
        add(&s->probe->text, base_printf(", ours of %s", subject));
        free(subject);
    } else if (service->connect_identity_count > 0 && tls.identity_choice[0] != '\0') {
        add(&s->probe->text, base_printf(", ours: %s", tls.identity_choice));
    } else if (service->connect_identity_count > 0) {
        add(&s->probe->text, base_strdup(", and it asked for none of ours"));
    }
}

static void note_conversation(struct session *s)
{
    char quoted[BASE_QUOTE_SIZE];
    struct span words = starttls_capabilities(s->target_machine);

    if (s->state != SESSION_TARGET_PROBE)
        return; /* of the upstream proxy, or before TLS, where nothing can be believed */
    s->probe->text = words.size == 0
                         ? base_strdup("; it serves")
                         : base_printf("; it serves: %s", base_quote(words.data, words.size, quoted, sizeof(quoted)));
}

/* Called when the target has been asked, or cannot be: all is well. */
static void succeed(struct session *s)
{
    char *serves = s->probe->text;

    s->probe->text = base_printf("%s: ", s->target_text);
    if (leg_tls_state(&s->target) != LEG_TLS_NONE)
        add_tls(s);
    else
        add(&s->probe->text, base_strdup("connected, without TLS"));
    if (serves != NULL)
        add(&s->probe->text, serves);
    s->probe->good = true;
    session_note_end(s, SESSION_ENDED_closed, NULL);
    leg_end(&s->target); /* close_notify and FIN, as far as they go at once */
    session_end_now(s, TRANSPORT_CLOSE_ORDERLY, TRANSPORT_CLOSE_ORDERLY);
}

/* ---- what is wrong, and what would be right ---- */

static const char *step_name(const struct session *s)
{
    return s->state == SESSION_TARGET_PROBE && leg_tls_state(&s->target) == LEG_TLS_NONE
               ? "greeting"
               : session_state_title(s->state);
}

static const char *advice(const struct session *s)
{
    const struct session_cause cause = {
        .ended = SESSION_ENDED_target_tls_failed, .error = leg_error_name(&s->target), .fault = SESSION_FAULT_NOBODY};

    if (s->advice != NULL)
        return s->advice;
    if (s->state == SESSION_CONNECT)
        return s->ended == SESSION_ENDED_timeout_connect ? "is the address right, and does a firewall let it pass?"
                                                         : "does the server run, and is this its address?";
    if (s->state == SESSION_TARGET_NEGOTIATE)
        return session_end_of(s->ended)->advice; /* of what was said before TLS; says who has to do something */
    return cause.error[0] == '\0' ? session_end_of(s->ended)->advice : session_remedy(&cause).advice;
}

/* What its client spoke is told with what would be right. */
static const char *more_advice(const struct session *s)
{
    const char *more = advice(s);

    return s->ended_reason != NULL && strstr(s->ended_reason, more) != NULL ? "" : more;
}

static void note_failure(struct session *s)
{
    struct session_probe *probe = s->probe;

    if (probe->good)
        return;
    free(probe->text);
    probe->text = base_printf("%s: %s: %s%s%s", s->target_text, step_name(s),
                              s->ended_reason == NULL ? "it ended" : s->ended_reason,
                              more_advice(s)[0] == '\0' ? "" : "; ", more_advice(s));
}

static void on_end(struct session *s)
{
    struct session_probe *probe = s->probe;

    probe->session = NULL;
    probe->on_done(probe);
}

/* ---- asking, and leaving ---- */

/* Nothing can be asked: the server's own end of TLS, or its silence, is the answer. */
static void step_settling(struct session *s)
{
    struct leg *target = &s->target;
    enum leg_take got;
    struct span said;

    while ((got = leg_peek(target, &said)) == LEG_TAKE_OK && said.size > 0)
        leg_consume(target, said.size);
    if (got == LEG_TAKE_OK && !leg_has_left(target))
        return;
    if (tls_engine_alert_received(leg_engine(target)) > 0) /* 0 is close_notify */
        session_refuse(s, STARTTLS_FAILURE_TARGET_TLS, SESSION_ENDED_target_tls_failed, base_strdup(leg_error(target)));
    else
        succeed(s);
}

static bool must_settle(const struct session *s)
{
    const struct tls_engine *engine = leg_engine(&s->target);

    return engine != NULL && strcmp(tls_engine_session(engine).version, "TLSv1.3") == 0;
}

void session_step_target_probe(struct session *s)
{
    if (leg_tls_state(&s->target) == LEG_TLS_ON_POOL)
        return;
    if (leg_state(&s->target).end != LEG_END_OPEN) {
        step_settling(s);
    } else if (s->target_machine != NULL) {
        if (session_target_machine_is_done(s))
            succeed(s);
    } else if (must_settle(s)) {
        s->deadline_ms = uv_now(s->plane->loop) + LIMIT_PROBE_SETTLE_MS;
        plane_set_deadline(s->plane, &s->wheel, s->deadline_ms);
        leg_end(&s->target);
        step_settling(s);
    } else {
        succeed(s);
    }
}

void session_on_probe_due(struct session *s)
{
    if (leg_state(&s->target).end != LEG_END_OPEN && leg_tls_state(&s->target) != LEG_TLS_ON_POOL)
        succeed(s);
    else
        session_refuse(s, STARTTLS_FAILURE_TARGET_TIMEOUT, SESSION_ENDED_timeout_target,
                       base_strdup("the target does not answer in time"));
}

/* ---- what a probe is ---- */

static void serve(struct session *s)
{
    const struct starttls_options options = {.name = s->service->greeting_name,
                                             .upgrade = s->service->config->connect_tls == CONFIG_TLS_STARTTLS};

    s->target_machine = starttls_probe_create(s->service->protocol, &options);
    session_enter(s, SESSION_TARGET_PROBE);
}

static bool client_is_there(struct session *s)
{
    (void)s; /* there never was one */
    return true;
}

/* Of a connection that nobody has made to us: LOCAL, and in version 1 UNKNOWN. */
static bool make_proxy_header(const struct session *s, struct buffer *header)
{
    const struct starttls_proxy_addresses none = {.size = 0};

    switch (s->service->config->send_proxy) {
    case CONFIG_SEND_PROXY_NONE:
        break;
    case CONFIG_SEND_PROXY_V1:
        return starttls_proxy_header_v1(&none, header);
    case CONFIG_SEND_PROXY_V2:
    case CONFIG_SEND_PROXY_V2_TLS:
        return starttls_proxy_header_v2_local(header);
    }
    return true;
}

const struct session_kind session_kind_probe = {
    .client_is_there = client_is_there,
    .make_proxy_header = make_proxy_header,
    .note_conversation = note_conversation,
    .serve = serve,
    .note_failure = note_failure,
    .on_end = on_end,
};

void session_start_probe(struct plane *p, struct session_probe *probe)
{
    const struct session_accepted nobody = {.service_index = probe->service_index, .peer = {.ss_family = AF_UNSPEC}};
    struct session *s = session_create(p, &nobody, &session_kind_probe);

    p->service_session_count[probe->service_index]++;
    s->reach.targets += probe->target_index;
    s->reach.target_count = 1;
    s->probe = probe;
    probe->session = s;
    session_enter(s, SESSION_CONNECT);
    session_step(s);
}
