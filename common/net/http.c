/* http.c - many POST requests to one address at once, with retries. */
#include "net/http.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "net/http_status.h"

enum { MAX_GIVEN_UP_IN_ROW = 5 };

enum transfer_state { WAITING, ACTIVE, FINISHED };

struct transfer {
    struct transfer *next; /* in the client's list, in order of submission */
    enum transfer_state state;
    CURL *easy;
    char *body;
    size_t n;
    void *user;
    uint64_t number;
    int64_t attempts;
    double due_s; /* WAITING: not before */
    struct strbuf answer;
    int64_t max_bytes;
    bool too_long;
    double byte_s, stall_s; /* when the last byte came; 0 = none yet */
    char curl_error[CURL_ERROR_SIZE];
    struct http_result result;
};

struct http_client {
    char *url;
    struct http_options o;
    http_judge *judge;
    void *judge_arg;
    CURLM *multi;
    struct curl_slist *headers;
    bool loopback;
    struct transfer *first, **last;
    int64_t n_pending, n_active, n_finished;
    uint64_t n_submitted;
    double window;         /* how many may be in flight now */
    double paused_until_s; /* the server asked for a pause */
    int given_up_in_row;
};

/* Set-up. */

static int check_url(struct http_client *c, const char *key, struct err *err)
{
    bool plain = strncasecmp(c->url, "http://", 7) == 0;
    if (!plain && strncasecmp(c->url, "https://", 8) != 0) {
        err->status = EXIT_USAGE;
        return err_set(err, "'%s' is no http:// or https:// address", c->url);
    }
    if (strpbrk(c->url, " \t\r\n") || strchr(c->url + 8, '@'))
        return err_set(err, "the address may hold no blanks and no user name; a key comes from the "
                            "environment or a file");
    if (plain && key && !c->loopback)
        return err_set(err, "refusing to send the API key over plain http to '%s'; use https",
                       c->url);
    return 0;
}

static void add_header(struct http_client *c, const char *text)
{
    struct curl_slist *more = curl_slist_append(c->headers, text);
    if (!more)
        BUG("curl_slist_append failed");
    c->headers = more;
}

struct http_client *http_client_new(const char *url, const char *key, const struct http_options *o,
                                    http_judge *judge, void *judge_arg, struct err *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        err_set(err, "libcurl does not start");
        return NULL;
    }
    struct http_client *c = xcalloc(1, sizeof *c);
    c->url = xstrdup(url);
    c->o = *o;
    c->judge = judge;
    c->judge_arg = judge_arg;
    c->last = &c->first;
    c->window = (double)o->concurrency;
    c->loopback = http_url_is_loopback(url);
    if (check_url(c, key, err) < 0) {
        http_client_free(c);
        return NULL;
    }
    c->multi = curl_multi_init();
    if (!c->multi)
        BUG("curl_multi_init failed");
    add_header(c, "Content-Type: application/json");
    add_header(c, "Accept: application/json");
    add_header(c, "Expect:"); /* no extra round trip before a long prompt */
    if (key) {
        char *line = xasprintf("Authorization: Bearer %s", key);
        add_header(c, line);
        explicit_bzero(line, strlen(line));
        free(line);
    }
    return c;
}

static void transfer_free(struct http_client *c, struct transfer *t)
{
    if (t->easy) {
        if (t->state == ACTIVE)
            curl_multi_remove_handle(c->multi, t->easy);
        curl_easy_cleanup(t->easy);
    }
    free(t->body);
    strbuf_release(&t->answer);
    http_result_release(&t->result);
    free(t);
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    while (c->first) {
        struct transfer *t = c->first;
        c->first = t->next;
        transfer_free(c, t);
    }
    if (c->multi)
        curl_multi_cleanup(c->multi);
    for (struct curl_slist *h = c->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    curl_slist_free_all(c->headers);
    free(c->url);
    free(c);
    curl_global_cleanup();
}

void http_result_release(struct http_result *r)
{
    free(r->body);
    memset(r, 0, sizeof *r);
}

void http_submit(struct http_client *c, const char *body, size_t n, void *user)
{
    struct transfer *t = xcalloc(1, sizeof *t);
    t->body = xstrndup(body, n);
    t->n = n;
    t->user = user;
    t->number = c->n_submitted++;
    t->max_bytes = c->o.max_response_bytes;
    t->stall_s = c->o.stall_timeout_s;
    *c->last = t;
    c->last = &t->next;
    c->n_pending++;
}

/* One attempt. */

static size_t on_bytes(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    n *= size;
    t->byte_s = clock_s();
    if (t->answer.len + n > (size_t)t->max_bytes) {
        t->too_long = true;
        return n ? 0 : 1; /* anything but n ends the transfer */
    }
    strbuf_add(&t->answer, bytes, n);
    return n;
}

/* libcurl's own low-speed limit would also end the silence of a model that is still thinking. */
static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t d, curl_off_t e)
{
    const struct transfer *t = arg;
    (void)a, (void)b, (void)d, (void)e;
    return t->byte_s > 0 && clock_s() - t->byte_s > t->stall_s;
}

static void set_option(CURLcode code)
{
    if (code != CURLE_OK)
        BUG("curl_easy_setopt: %s", curl_easy_strerror(code));
}

static void start(struct http_client *c, struct transfer *t)
{
    if (!t->easy && !(t->easy = curl_easy_init()))
        BUG("curl_easy_init failed");
    CURL *e = t->easy;
    curl_easy_reset(e);
    strbuf_clear(&t->answer);
    t->too_long = false;
    t->byte_s = 0;
    t->curl_error[0] = '\0';
    set_option(curl_easy_setopt(e, CURLOPT_URL, c->url));
    set_option(curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https"));
    set_option(curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L));
    set_option(curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L));
    set_option(curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers));
    set_option(curl_easy_setopt(e, CURLOPT_USERAGENT, "thinkpipe"));
    set_option(curl_easy_setopt(e, CURLOPT_POSTFIELDS, t->body));
    set_option(curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->n));
    set_option(curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_bytes));
    set_option(curl_easy_setopt(e, CURLOPT_WRITEDATA, t));
    set_option(curl_easy_setopt(e, CURLOPT_PRIVATE, t));
    set_option(curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_error));
    set_option(curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS,
                                (long)(1000 * c->o.connect_timeout_s)));
    set_option(curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)(1000 * c->o.total_timeout_s)));
    set_option(curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L));
    set_option(curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress));
    set_option(curl_easy_setopt(e, CURLOPT_XFERINFODATA, t));
    if (c->loopback) /* or a proxy from the environment would see the key in the clear */
        set_option(curl_easy_setopt(e, CURLOPT_PROXY, ""));
    curl_multi_add_handle(c->multi, e);
    t->attempts++;
    t->state = ACTIVE;
    c->n_active++;
}

static void finish(struct http_client *c, struct transfer *t, bool done, long status)
{
    t->state = FINISHED;
    c->n_finished++;
    t->result = (struct http_result){.user = t->user, .done = done, .status = status,
                                     .attempts = t->attempts, .why = t->result.why};
    t->result.n = t->answer.len;
    strbuf_reserve(&t->answer, 1);
    t->result.body = strbuf_detach(&t->answer, NULL);
}

static double jitter(const struct http_client *c, const struct transfer *t)
{
    struct rng r;
    double most = c->o.retry_wait_s * pow(2, (double)(t->attempts - 1));
    rng_init(&r, c->o.seed, "http-retry", t->number, (uint64_t)t->attempts);
    return fmin(most, c->o.retry_wait_max_s) * rng_uniform(&r);
}

/* Puts it back in the queue, or gives it up.  -1: too many given up, the server is not there. */
static int retry(struct http_client *c, struct transfer *t, long status, struct err *why,
                 struct err *err)
{
    double asked = status ? http_retry_after(t->easy) : 0, now = clock_s();
    if (status == 429 || status == 503) {
        c->window = fmax(1, c->window / 2);
        c->paused_until_s = fmax(c->paused_until_s, now + asked);
    }
    if (t->attempts < c->o.attempts) {
        double wait = fmax(asked, jitter(c, t));
        log_debug("attempt %lld failed (%s), next in %.1f s", (long long)t->attempts, why->text,
                  wait);
        t->state = WAITING;
        t->due_s = now + wait;
        return 0;
    }
    err_prefix(why, "given up after %lld attempts", (long long)t->attempts);
    if (++c->given_up_in_row >= MAX_GIVEN_UP_IN_ROW) {
        err->status = EXIT_RESUMABLE;
        return err_set(err, "%d requests in a row failed, the last: %s", MAX_GIVEN_UP_IN_ROW,
                       why->text);
    }
    t->result.why = *why;
    finish(c, t, false, status);
    return 0;
}

static enum http_verdict judge_transport(struct transfer *t, CURLcode code, struct err *why)
{
    if (t->too_long)
        err_set(why, "the answer is longer than %lld bytes", (long long)t->max_bytes);
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        err_set(why, "no byte for %g seconds in the middle of the answer", t->stall_s);
    else
        err_set(why, "%s", t->curl_error[0] ? t->curl_error : curl_easy_strerror(code));
    return http_curl_verdict(code);
}

static enum http_verdict judge_answer(struct http_client *c, struct transfer *t, long status,
                                      struct err *why)
{
    strbuf_reserve(&t->answer, 1);
    t->answer.buf[t->answer.len] = '\0';
    struct http_response r = {status, t->answer.buf, t->answer.len};
    enum http_verdict v = c->judge(c->judge_arg, &r, http_status_verdict(status), why);
    if (v != HTTP_DONE && !why->set)
        err_set(why, "status %ld", status);
    return v;
}

static int on_end(struct http_client *c, struct transfer *t, CURLcode code, struct err *err)
{
    struct err why = {0};
    long status = 0;
    curl_multi_remove_handle(c->multi, t->easy);
    c->n_active--;
    t->state = WAITING;
    if (code == CURLE_OK)
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    enum http_verdict v =
        code == CURLE_OK ? judge_answer(c, t, status, &why) : judge_transport(t, code, &why);
    switch (v) {
    case HTTP_DONE:
        c->given_up_in_row = 0;
        c->window = fmin((double)c->o.concurrency, c->window + 1 / c->window);
        finish(c, t, true, status);
        return 0;
    case HTTP_RETRY:
        return retry(c, t, status, &why, err);
    case HTTP_GIVE_UP:
        c->given_up_in_row = 0; /* it did answer */
        t->result.why = why;
        finish(c, t, false, status);
        return 0;
    case HTTP_STOP:
        return err_set(err, "%s: %s", c->url, why.text);
    }
    BUG("verdict %d", (int)v);
}

/* The loop. */

/* Starts what may start; returns the seconds until something else may. */
static double start_due(struct http_client *c)
{
    double now = clock_s(), soonest = 3600;
    for (struct transfer *t = c->first; t; t = t->next) {
        if (t->state != WAITING)
            continue;
        double due = fmax(t->due_s, c->paused_until_s);
        if (due > now)
            soonest = fmin(soonest, due - now);
        else if (c->n_active < (int64_t)c->window)
            start(c, t);
    }
    return soonest;
}

static int read_ends(struct http_client *c, struct err *err)
{
    CURLMsg *msg;
    int left, rc = 0;
    while (rc == 0 && (msg = curl_multi_info_read(c->multi, &left))) {
        struct transfer *t = NULL;
        char *private_data = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        CURLcode code = msg->data.result; /* msg is gone once the handle is removed */
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private_data);
        t = (struct transfer *)(void *)private_data;
        rc = on_end(c, t, code, err);
    }
    return rc;
}

int http_work(struct http_client *c, int timeout_ms, struct err *err)
{
    double end = clock_s() + timeout_ms / 1000.0;
    while (c->n_finished == 0 && c->n_pending > 0) {
        int running;
        double soonest = start_due(c);
        curl_multi_perform(c->multi, &running);
        if (read_ends(c, err) < 0)
            return -1;
        double left = end - clock_s();
        if (left <= 0)
            break;
        if (c->n_finished == 0)
            curl_multi_poll(c->multi, NULL, 0, (int)ceil(1000 * fmin(left, soonest)), NULL);
    }
    return 0;
}

bool http_next(struct http_client *c, struct http_result *out)
{
    for (struct transfer **at = &c->first; *at; at = &(*at)->next) {
        struct transfer *t = *at;
        if (t->state != FINISHED)
            continue;
        *at = t->next;
        if (!t->next)
            c->last = at;
        *out = t->result;
        memset(&t->result, 0, sizeof t->result);
        c->n_pending--;
        c->n_finished--;
        transfer_free(c, t);
        return true;
    }
    return false;
}
