/* The generator's end of asynchronous RL, with directories published as a trainer does it. */
#include <pthread.h>
#include <time.h>

#include "gen/follow.h"
#include "tests/unit/gen_cases.h"

static char *policy;

static char *fresh_dir(void)
{
    char *dir = xstrdup("/tmp/test_follow.XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    return dir;
}

static void remove_dir(char *dir)
{
    struct err err = {0};
    CHECK(dir_remove(dir, &err) == 0);
    free(dir);
}

static bool same_weights(struct model *a, struct model *b)
{
    size_t bytes = (size_t)a->n_elements * sizeof(float);
    float *x = xmalloc(bytes), *y = xmalloc(bytes);
    model_get_weights(a, x);
    model_get_weights(b, y);
    bool same = memcmp(x, y, bytes) == 0;
    free(x);
    free(y);
    return same;
}

/* In want, # stands for the policy's directory. */
static void check_failure(int rc, const char *want, struct err *err)
{
    const char *mark = strchr(want, '#');
    char *text = xasprintf("%.*s%s%s", (int)(mark - want), want, policy, mark + 1);
    CHECK(rc == -1);
    CHECK_STR(err->text, text);
    err_clear(err);
    free(text);
}

static void test_protocol(void)
{
    struct model *mine = gen_model(PRECISION_FP32, 1), *v0 = gen_model(PRECISION_FP32, 2);
    struct model *v1 = gen_model(PRECISION_FP32, 3);
    struct follow f;
    struct err err = {0};
    char *dir = NULL;
    policy = fresh_dir();
    CHECK(follow_init(&f, policy, &err) == 0 && f.version == -1);

    /* nothing there yet */
    CHECK(follow_poll(&f, mine, &err) == 0);
    check_failure(follow_wait_first(&f, 0.03, &dir, &err),
                  "waited 0.03 s for '#/latest': no weights were published", &err);
    check_failure(follow_wait(&f, mine, 0, 0.03, &err),
                  "waited 0.03 s for '#/latest': no weights were published", &err);

    /* weights without credits */
    gen_publish(policy, 0, v0);
    CHECK(follow_poll(&f, mine, &err) == 1 && f.version == 0 && same_weights(mine, v0));
    CHECK(follow_poll(&f, mine, &err) == 0);
    check_failure(follow_wait(&f, mine, 0, 0.03, &err),
                  "waited 0.03 s for '#/credits.json' to allow group 0: it allows 0 groups (is the "
                  "trainer still running?)", &err);

    /* credits bound the groups */
    gen_credits(policy, 0, 4, false);
    CHECK(follow_wait(&f, mine, 3, 1, &err) == 0 && f.groups == 4 && !f.done);
    check_failure(follow_wait(&f, mine, 4, 0.03, &err),
                  "waited 0.03 s for '#/credits.json' to allow group 4: it allows 4 groups (is the "
                  "trainer still running?)", &err);

    /* a newer version is seen before it is loaded, and loaded while waiting */
    gen_publish(policy, 12, v1);
    gen_credits(policy, 12, 8, false);
    CHECK(follow_look(&f, &err) == 1 && f.version == 0 && same_weights(mine, v0));
    CHECK(follow_wait(&f, mine, 4, 1, &err) == 1 && f.version == 12 && same_weights(mine, v1));

    /* done lets every wait end */
    gen_credits(policy, 12, 8, true);
    CHECK(follow_wait(&f, mine, 1000, 1, &err) == 0 && f.done);
    follow_release(&f);

    /* the trainer goes on from an older checkpoint: its weights count, not the newest number */
    CHECK(follow_init(&f, policy, &err) == 0);
    CHECK(follow_poll(&f, mine, &err) == 1 && f.version == 12);
    gen_publish(policy, 0, v0);
    CHECK(follow_look(&f, &err) == 1);
    CHECK(follow_poll(&f, mine, &err) == 1 && f.version == 0 && same_weights(mine, v0));
    gen_publish(policy, 12, v1);
    follow_release(&f);

    CHECK(follow_init(&f, policy, &err) == 0);
    CHECK(follow_wait_first(&f, 1, &dir, &err) == 0 && dir && f.version == 12);
    CHECK(dir && strcmp(dir + strlen(policy), "/v000012") == 0);
    free(dir);
    follow_release(&f);
    remove_dir(policy);
    model_free(mine);
    model_free(v0);
    model_free(v1);
}

static void write_credits(const char *text)
{
    struct err err = {0};
    char *credits = path_join(policy, "credits.json");
    CHECK(file_write_atomic(credits, text, strlen(text), &err) == 0);
    free(credits);
}

/* What a generator that is started anew makes of a trainer that was there before it. */
static void test_restart(void)
{
    struct model *m = gen_model(PRECISION_FP32, 1), *v0 = gen_model(PRECISION_FP32, 2);
    struct follow f;
    struct err err = {0};
    policy = fresh_dir();
    gen_publish(policy, 0, v0);
    write_credits("{\"groups\": 9, \"next_group\": 6, \"stopped\": true}");
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);

    /* it stopped before we began, so it does not end us, and its credits are void */
    CHECK(follow_init(&f, policy, &err) == 0);
    CHECK(follow_poll(&f, m, &err) == 1 && !f.done && f.groups == 0);
    check_failure(follow_wait(&f, m, FOLLOW_NEXT, 0.03, &err),
                  "waited 0.03 s for '#/credits.json' to allow group 0: it allows 0 groups (is the "
                  "trainer still running?)", &err);
    write_credits("{\"groups\": 6, \"next_group\": 6}");
    check_failure(follow_wait(&f, m, FOLLOW_NEXT, 0.03, &err),
                  "waited 0.03 s for '#/credits.json' to allow group 6: it allows 6 groups (is the "
                  "trainer still running?)", &err);
    write_credits("{\"groups\": 7, \"next_group\": 6}");
    CHECK(follow_wait(&f, m, FOLLOW_NEXT, 1, &err) == 0 && f.next_group == 6 && !f.done);

    /* one that stops while we are there ends us */
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    write_credits("{\"groups\": 7, \"next_group\": 6, \"stopped\": true}");
    CHECK(follow_wait(&f, m, 1000, 1, &err) == 0 && f.done);
    follow_release(&f);
    remove_dir(policy);
    model_free(m);
    model_free(v0);
}

static void test_damage(void)
{
    struct model *m = gen_model(PRECISION_FP32, 1);
    struct follow f;
    struct err err = {0};
    policy = fresh_dir();
    char *link = path_join(policy, "latest"), *credits = path_join(policy, "credits.json");
    CHECK(follow_init(&f, policy, &err) == 0);
    CHECK(symlink("elsewhere", link) == 0);
    check_failure(follow_poll(&f, m, &err),
                  "'#/latest' points to 'elsewhere', expected a version like v000017", &err);
    CHECK(unlink(link) == 0 && symlink("v000003", link) == 0);
    CHECK(follow_poll(&f, m, &err) == -1 && f.version == -1);
    err_clear(&err);
    CHECK(unlink(link) == 0);
    CHECK(file_write_atomic(credits, "{\"groups\":\"x\"}", 14, &err) == 0);
    check_failure(follow_poll(&f, m, &err),
                  "#/credits.json: 'groups' is a string, expected an integer", &err);
    follow_release(&f);
    free(link);
    free(credits);
    remove_dir(policy);
    model_free(m);
}

/* A trainer that publishes while the generator waits. */
static void *publish_later(void *m)
{
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    gen_publish(policy, 1, m);
    gen_credits(policy, 1, 1, false);
    return NULL;
}

static void test_waiting(void)
{
    struct model *mine = gen_model(PRECISION_FP32, 1), *v1 = gen_model(PRECISION_FP32, 2);
    struct follow f;
    struct err err = {0};
    pthread_t trainer;
    policy = fresh_dir();
    CHECK(follow_init(&f, policy, &err) == 0);
    CHECK(pthread_create(&trainer, NULL, publish_later, v1) == 0);
    CHECK_MSG(follow_wait(&f, mine, 0, 30, &err) == 1, "%s", err.text);
    pthread_join(trainer, NULL);
    CHECK(f.version == 1 && f.groups == 1 && same_weights(mine, v1));
    follow_release(&f);
    remove_dir(policy);
    model_free(mine);
    model_free(v1);
}

int main(void)
{
    test_protocol();
    test_restart();
    test_damage();
    test_waiting();
    return check_done();
}
