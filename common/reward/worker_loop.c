/* worker_loop.c - inside a worker process: requests in, verdicts out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/utf8.h"
#include "reward/workers_internal.h"

struct lengths {
    uint32_t json, text;
};

int message_send(int fd, const json_t *obj, const char *text)
{
    struct strbuf out = {0};
    struct lengths n = {.text = text ? (uint32_t)strlen(text) : 0};
    strbuf_add(&out, &n, sizeof n);
    json_write(&out, obj);
    n.json = (uint32_t)(out.len - sizeof n);
    memcpy(out.buf, &n, sizeof n);
    if (n.text)
        strbuf_add(&out, text, n.text);
    size_t done = 0;
    while (done < out.len) {
        ssize_t k = send(fd, out.buf + done, out.len - done, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break;
        done += (size_t)k;
    }
    bool whole = done == out.len;
    strbuf_release(&out);
    return whole ? 0 : -1;
}

static int read_all(int fd, void *bytes, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = read(fd, (char *)bytes + done, n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return -1;
        done += (size_t)k;
    }
    return 0;
}

/* Any one of several truths will do. */
static int judge_truths(const struct verifier *v, const struct answer *a, const json_t *truth,
                        struct verdict *out, struct err *err)
{
    bool list = json_is_array(truth) && !v->whole_truth;
    size_t n = list ? json_array_size(truth) : 1;
    for (size_t i = 0; i < n; i++) {
        struct verdict one = {0};
        int rc = v->judge(a, list ? json_array_get(truth, i) : truth, &one, err);
        if (rc < 0) {
            verdict_release(&one);
            return rc;
        }
        if (i > 0 && one.score <= out->score) {
            verdict_release(&one);
            continue;
        }
        verdict_release(out);
        *out = one;
    }
    return 0;
}

json_t *request_make(const struct verifier *v, const struct answer *a, const json_t *truth)
{
    json_t *req = json_object(), *record = workers_record(a->record);
    size_t n = strlen(a->text), n_whole = strlen(a->whole);
    json_object_set_new(req, "verifier", json_string(v->name));
    /* What is judged is most often the end of all that was said. */
    if (n <= n_whole && strcmp(a->whole + n_whole - n, a->text) == 0)
        json_object_set_new(req, "from", json_integer((json_int_t)(n_whole - n)));
    else
        json_object_set_new(req, "text", json_string(a->text));
    json_object_set_new(req, "think_opened", json_boolean(a->think_opened));
    json_object_set_new(req, "record", record);
    if (truth)
        json_object_set(req, "truth", (json_t *)(uintptr_t)truth);
    return req;
}

/* Votes. */

json_t *vote_request(const struct ballot *ballots, size_t n)
{
    json_t *req = json_object(), *votes = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_object();
        json_object_set_new(one, "verifier", json_string(ballots[i].voter->name));
        json_object_set_new(one, "text", json_string(ballots[i].text));
        json_object_set_new(one, "n", json_integer(ballots[i].n));
        json_object_set_new(one, "first", json_integer(ballots[i].first));
        json_array_append_new(votes, one);
    }
    json_object_set_new(req, "votes", votes);
    return req;
}

static struct ballot *read_ballots(const json_t *votes)
{
    struct ballot *all = xcalloc(json_array_size(votes) + 1, sizeof *all);
    const json_t *one;
    size_t i;
    json_array_foreach(votes, i, one)
    {
        all[i] = (struct ballot){
            .voter = verifier_find(json_string_value(json_object_get(one, "verifier"))),
            .text = json_string_value(json_object_get(one, "text")),
            .n = json_integer_value(json_object_get(one, "n")),
            .first = json_integer_value(json_object_get(one, "first")),
        };
    }
    return all;
}

static bool agree(const struct ballot *a, const struct ballot *b)
{
    return a->voter == b->voter && a->voter->same(a->text, b->text);
}

/* The most common one, or NULL if none is the same even as itself. */
static const struct ballot *most_common(const struct ballot *all, size_t n)
{
    const struct ballot *best = NULL;
    int64_t most = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t votes = 0;
        for (size_t k = 0; k < n; k++)
            votes += agree(&all[i], &all[k]) ? all[k].n : 0;
        if (votes > most || (best && votes == most && all[i].first < best->first)) {
            most = votes;
            best = &all[i];
        }
    }
    return best;
}

static json_t *count_votes(const json_t *votes)
{
    size_t n = json_array_size(votes);
    struct ballot *all = read_ballots(votes);
    const struct ballot *best = most_common(all, n);
    json_t *reply = json_object(), *won = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(won, json_boolean(best && agree(best, &all[i])));
    json_object_set_new(reply, "rc", json_integer(0));
    json_object_set_new(reply, "won", won);
    free(all);
    return reply;
}

/* Verdicts. */

static int judge_request(const json_t *req, const char *whole, struct verdict *out,
                         struct err *err)
{
    const char *text = json_string_value(json_object_get(req, "text"));
    json_int_t from = json_integer_value(json_object_get(req, "from"));
    const struct verifier *v =
        verifier_find(json_string_value(json_object_get(req, "verifier")));
    if (!v || from < 0 || (size_t)from > strlen(whole))
        BUG("a request without a verifier or a text");
    struct answer a = {
        .text = text ? text : whole + from,
        .whole = whole,
        .think_opened = json_is_true(json_object_get(req, "think_opened")),
        .record = json_object_get(req, "record"),
    };
    return judge_truths(v, &a, json_object_get(req, "truth"), out, err);
}

/* A message may have been cut within a character. */
static json_t *message_json(const char *text)
{
    struct strbuf whole = {0};
    utf8_repair(&whole, text, strlen(text));
    json_t *value = json_stringn(whole.len ? whole.buf : "", whole.len);
    strbuf_release(&whole);
    return value;
}

static json_t *reply_make(int rc, const struct verdict *v, const struct err *err)
{
    json_t *reply = json_object();
    json_object_set_new(reply, "rc", json_integer(rc));
    if (rc == 0)
        json_object_set_new(reply, "verdict", verdict_to_json(v));
    else
        json_object_set_new(reply, "error", message_json(err->text));
    return reply;
}

static json_t *judge_reply(const json_t *req, const char *whole)
{
    struct verdict v = {0};
    struct err err = {0};
    int rc = judge_request(req, whole, &v, &err);
    json_t *reply = reply_make(rc, &v, &err);
    verdict_release(&v);
    return reply;
}

/* Owned; NULL if the other side is gone. */
static char *read_text(int fd, uint32_t n)
{
    char *text = xmalloc((size_t)n + 1);
    text[n] = '\0';
    if (read_all(fd, text, n) == 0)
        return text;
    free(text);
    return NULL;
}

json_t *message_receive(int fd, uint32_t limit, char **text)
{
    struct lengths n;
    struct err err = {0};
    *text = NULL;
    if (read_all(fd, &n, sizeof n) < 0 || n.json > limit || n.text > limit)
        return NULL;
    char *json = read_text(fd, n.json);
    json_t *obj = json && (*text = read_text(fd, n.text)) ? json_parse(json, n.json, &err) : NULL;
    free(json);
    if (obj)
        return obj;
    free(*text);
    *text = NULL;
    return NULL;
}

noreturn void worker_main(int fd)
{
    json_t *req;
    char *whole;
    while ((req = message_receive(fd, UINT32_MAX, &whole))) {
        const json_t *votes = json_object_get(req, "votes");
        json_t *reply = votes ? count_votes(votes) : judge_reply(req, whole);
        int sent = message_send(fd, reply, NULL);
        json_decref(reply);
        json_decref(req);
        free(whole);
        if (sent < 0)
            break;
    }
    _exit(0);
}
