/* workers.c - the parent's side of the workers: who is free, who is late, who died. */
#include "reward/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "reward/workers_internal.h"

#define REPLY_LIMIT ((uint32_t)64 << 20)

struct worker {
    pid_t pid; /* 0 = not started */
    int fd;
    bool busy;
};

struct workers {
    struct worker *all;
    int n;
    double seconds;
    struct nursery nursery;
    pthread_mutex_t lock; /* over busy and the nursery */
    pthread_cond_t freed;
};

struct workers *workers_open(int n, double seconds, struct err *err)
{
    struct workers *w = xcalloc(1, sizeof *w);
    w->all = xcalloc((size_t)n, sizeof *w->all);
    w->n = n;
    w->seconds = seconds;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->freed, NULL);
    if (nursery_open(&w->nursery, err) < 0) {
        workers_close(w);
        return NULL;
    }
    return w;
}

static int bury(struct workers *w, struct worker *k)
{
    pthread_mutex_lock(&w->lock);
    int status = nursery_bury(&w->nursery, k->pid);
    pthread_mutex_unlock(&w->lock);
    close(k->fd);
    k->pid = 0;
    return status;
}

void workers_close(struct workers *w)
{
    if (!w)
        return;
    for (int i = 0; i < w->n; i++) {
        if (w->all[i].pid)
            bury(w, &w->all[i]);
    }
    nursery_close(&w->nursery);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->freed);
    free(w->all);
    free(w);
}

/* One that runs is taken before one that has to be started. */
static struct worker *find_free(struct workers *w)
{
    struct worker *found = NULL;
    for (int i = 0; i < w->n; i++) {
        if (!w->all[i].busy && (!found || !found->pid))
            found = &w->all[i];
    }
    return found;
}

static struct worker *take(struct workers *w, struct err *err)
{
    struct worker *k;
    int rc = 0;
    pthread_mutex_lock(&w->lock);
    while (!(k = find_free(w)))
        pthread_cond_wait(&w->freed, &w->lock);
    if (!k->pid)
        rc = nursery_spawn(&w->nursery, &k->pid, &k->fd, err);
    k->busy = rc == 0;
    pthread_mutex_unlock(&w->lock);
    return rc < 0 ? NULL : k;
}

static void give_back(struct workers *w, struct worker *k)
{
    pthread_mutex_lock(&w->lock);
    k->busy = false;
    pthread_cond_signal(&w->freed);
    pthread_mutex_unlock(&w->lock);
}

/* True once there is something to read, false when the time is up. */
static bool wait_for(int fd, double seconds)
{
    double until = clock_s() + seconds;
    for (;;) {
        double left = until - clock_s();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0)
            return false;
        int rc = poll(&p, 1, left > 1000 ? 1000000 : (int)(left * 1000) + 1);
        if (rc > 0)
            return true;
        if (rc < 0 && errno != EINTR)
            return false;
    }
}

static int died(struct workers *w, struct worker *k, const char *name, bool late, struct err *err)
{
    int status = bury(w, k);
    if (late)
        err_set(err, "verifier '%s' was stopped after %g s", name, w->seconds);
    else if (status >= 0 && WIFSIGNALED(status))
        err_set(err, "verifier '%s' was killed by signal %d (%s)", name, WTERMSIG(status),
                strsignal(WTERMSIG(status)));
    else
        err_set(err, "verifier '%s' ended with status %d", name,
                status >= 0 ? WEXITSTATUS(status) : -1);
    return NO_VERDICT;
}

/* 0 with the reply, or why there is none. */
static int ask(struct workers *w, const char *name, const json_t *req, const char *whole,
               bool *gone, json_t **out, struct err *err)
{
    struct worker *k = take(w, err);
    if (!k)
        return NO_VERDICT;
    json_t *reply = NULL;
    bool late = false;
    char *none = NULL;
    if (message_send(k->fd, req, whole) == 0) {
        late = !wait_for(k->fd, w->seconds);
        reply = late ? NULL : message_receive(k->fd, REPLY_LIMIT, &none);
    }
    free(none);
    *gone = !reply && !late;
    int rc = reply ? (int)json_integer_value(json_object_get(reply, "rc"))
                   : died(w, k, name, late, err);
    if (reply && rc < 0)
        err_set(err, "%s", json_string_value(json_object_get(reply, "error")));
    give_back(w, k);
    *out = reply;
    return rc;
}

/* Takes over req. */
static int ask_twice(struct workers *w, const char *name, json_t *req, const char *whole,
                     json_t **reply, struct err *err)
{
    bool gone = false;
    int rc = ask(w, name, req, whole, &gone, reply, err);
    if (gone) { /* somebody may have killed it by mistake, or memory was short */
        err_clear(err);
        rc = ask(w, name, req, whole, &gone, reply, err);
    }
    json_decref(req);
    return rc;
}

int workers_judge(struct workers *w, const struct verifier *v, const struct answer *a,
                  const json_t *truth, struct verdict *out, struct err *err)
{
    json_t *reply = NULL;
    int rc = ask_twice(w, v->name, request_make(v, a, truth), a->whole, &reply, err);
    if (rc == 0)
        rc = verdict_from_json(json_object_get(reply, "verdict"), out, err);
    json_decref(reply);
    return rc;
}

int workers_vote(struct workers *w, struct ballot *ballots, size_t n, struct err *err)
{
    json_t *reply = NULL;
    int rc = ask_twice(w, "majority", vote_request(ballots, n), NULL, &reply, err);
    const json_t *won = json_object_get(reply, "won");
    for (size_t i = 0; i < n && rc == 0; i++)
        ballots[i].won = json_is_true(json_array_get(won, i));
    json_decref(reply);
    return rc;
}

json_t *workers_record(const json_t *record)
{
    static const char *const unread[] = {
        "token_ids",    "prompt_token_ids", "logprobs", "old_logprobs", "ref_logprobs",
        "policy_version", "loss_mask",      "tokens",   "reward",       "rewards",
        "verdict",      "completion",       "response", "ground_truth",
    };
    json_t *copy = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)record, key, value)
    {
        bool skip = false;
        for (size_t i = 0; i < ARRAY_SIZE(unread); i++)
            skip = skip || strcmp(key, unread[i]) == 0;
        if (!skip)
            json_object_set(copy, key, value);
    }
    const json_t *ids = json_object_get(record, "token_ids"); /* lengths are judged, too */
    const json_t *used = json_object_get(json_object_get(record, "usage"), "completion_tokens");
    if (json_is_array(ids))
        json_object_set_new(copy, "n_token_ids", json_integer((json_int_t)json_array_size(ids)));
    else if (json_is_number(used))
        json_object_set(copy, "n_token_ids", (json_t *)(uintptr_t)used);
    return copy;
}
