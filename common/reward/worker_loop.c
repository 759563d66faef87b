/* worker_loop.c - inside a worker process: requests in, verdicts out. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "data/utf8.h"
#include "reward/workers_internal.h"

int message_send(int fd, const json_t *obj)
{
    struct strbuf text = {0};
    strbuf_add(&text, &(uint32_t){0}, sizeof(uint32_t));
    json_write(&text, obj);
    uint32_t n = (uint32_t)(text.len - sizeof n);
    memcpy(text.buf, &n, sizeof n);
    size_t done = 0;
    while (done < text.len) {
        ssize_t k = send(fd, text.buf + done, text.len - done, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break;
        done += (size_t)k;
    }
    bool whole = done == text.len;
    strbuf_release(&text);
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
    json_object_set_new(req, "whole", json_string(a->whole));
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

static int judge_request(const json_t *req, struct verdict *out, struct err *err)
{
    const char *whole = json_string_value(json_object_get(req, "whole"));
    const char *text = json_string_value(json_object_get(req, "text"));
    json_int_t from = json_integer_value(json_object_get(req, "from"));
    const struct verifier *v =
        verifier_find(json_string_value(json_object_get(req, "verifier")));
    if (!v || !whole)
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

json_t *message_receive(int fd, uint32_t limit)
{
    uint32_t n;
    struct err err = {0};
    if (read_all(fd, &n, sizeof n) < 0 || n > limit)
        return NULL;
    char *text = xmalloc((size_t)n + 1);
    json_t *obj = read_all(fd, text, n) < 0 ? NULL : json_parse(text, n, &err);
    free(text);
    return obj;
}

noreturn void worker_main(int fd)
{
    json_t *req;
    while ((req = message_receive(fd, UINT32_MAX))) {
        struct verdict v = {0};
        struct err err = {0};
        int rc = judge_request(req, &v, &err);
        json_t *reply = reply_make(rc, &v, &err);
        int sent = message_send(fd, reply);
        json_decref(reply);
        json_decref(req);
        verdict_release(&v);
        if (sent < 0)
            break;
    }
    _exit(0);
}
