/* http.h - many POST requests to one address at once, with retries (libcurl).
 *
 * The client does transport only.  What an answer means is for its `judge` to
 * say, which sees every complete answer with the verdict its status suggests:
 *   retry    408, 409, 425, 429, 5xx; connection and TLS trouble, timeouts, bodies cut short
 *   give up  other 4xx, answers over the size limit: this request only
 *   stop     401, 403, 404, redirects, certificates that do not verify: no request would do better
 * Waits are full jitter, uniform in (0, min(cap, base * 2^n)), and at least what Retry-After says;
 * a 429 or 503 makes all requests wait and halves how many are in flight (additive increase,
 * multiplicative decrease).  Several requests in a row given up for want of retries stop the run
 * with EXIT_RESUMABLE.
 *
 *     struct http_client *c = http_client_new(url, key, &options, judge, arg, &err);
 *     http_submit(c, body, n, user);
 *     while (n_results < n_submitted) {
 *         if (http_work(c, 1000, &err) < 0) ...      // stop the run
 *         while (http_next(c, &result)) ...; http_result_release(&result);
 *     }
 */
#ifndef TP_NET_HTTP_H
#define TP_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct http_options {
    int64_t concurrency;        /* most requests in flight */
    int64_t attempts;           /* per request, the first included */
    int64_t max_response_bytes;
    double connect_timeout_s, total_timeout_s;
    double stall_timeout_s;     /* without a byte, after the first one of the answer */
    double retry_wait_s, retry_wait_max_s;
    uint64_t seed;              /* of the jitter */
};
#define HTTP_OPTIONS_DEFAULT                                                                       \
    {.concurrency = 16, .attempts = 8, .max_response_bytes = (int64_t)64 << 20,                    \
     .connect_timeout_s = 10, .total_timeout_s = 1800, .stall_timeout_s = 300, .retry_wait_s = 1,  \
     .retry_wait_max_s = 60}

enum http_verdict { HTTP_DONE, HTTP_RETRY, HTTP_GIVE_UP, HTTP_STOP };

struct http_response {
    long status;
    const char *body; /* NUL-terminated; may hold NULs */
    size_t n;
};
/* Called with by_status; returns its own verdict, and says why unless it is HTTP_DONE. */
typedef enum http_verdict http_judge(void *arg, const struct http_response *r,
                                     enum http_verdict by_status, struct err *why);

struct http_result {
    void *user;
    bool done;   /* false: given up, why says why */
    long status; /* 0 = no answer */
    char *body;  /* owned */
    size_t n;
    int64_t attempts;
    struct err why;
};
void http_result_release(struct http_result *r);

struct http_client;
/* key may be NULL (no Authorization) and must outlive the client.  Refuses a key over plain http:
 * unless the address is this machine's own. */
struct http_client *http_client_new(const char *url, const char *key, const struct http_options *o,
                                    http_judge *judge, void *judge_arg, struct err *err);
void http_submit(struct http_client *c, const char *body, size_t n, void *user); /* copies body */
/* Moves transfers; returns when there are results, or after timeout_ms.  -1: stop the run. */
int http_work(struct http_client *c, int timeout_ms, struct err *err) WARN_UNUSED;
bool http_next(struct http_client *c, struct http_result *out);
/* Drops what is in flight; users of dropped requests are not handed back. */
void http_client_free(struct http_client *c);

/* Where chat completions are: URL may end in /chat/completions, or be what comes before it; a bare
 * host gets /v1.  Owned. */
char *http_chat_url(const char *endpoint);
/* True for localhost, 127.0.0.0/8 and [::1]. */
bool http_url_is_loopback(const char *url);

#endif
