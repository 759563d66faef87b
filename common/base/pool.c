/* pool.c - the process's threads.
 *
 * A job is published by storing its number in `open_job`.  A worker that wants in
 * counts itself `inside` first and then looks at open_job again; the caller closes
 * the job first and then waits for `inside` to reach 0.  In sequentially consistent
 * order one of the two sees the other, so no worker touches a job that has ended,
 * and the caller never waits for a worker that slept through it.
 */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define MAX_THREADS 1024
#define SPINS 1000 /* some tens of microseconds: the gap between two operators of a model */

static struct {
    int n_threads; /* with the caller; 0 before pool_init */
    int spins;
    pthread_t *workers; /* [n_threads - 1] */
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    bool quit; /* under lock */

    void (*fn)(void *arg, int64_t i, int thread);
    void *arg;
    int64_t n;
    uint64_t last_job;

    atomic_uint_least64_t open_job; /* 0 = none */
    atomic_int_least64_t ticket;
    atomic_int inside, sleepers;
    atomic_bool caller_waits;
} pool = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .work = PTHREAD_COND_INITIALIZER,
    .idle = PTHREAD_COND_INITIALIZER,
};

static pthread_mutex_t pool_busy = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local int thread_index;
static _Thread_local bool in_job;

static inline void cpu_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void take_tickets(void)
{
    in_job = true;
    for (;;) {
        int64_t i = atomic_fetch_add_explicit(&pool.ticket, 1, memory_order_relaxed);
        if (i >= pool.n)
            break;
        pool.fn(pool.arg, i, thread_index);
    }
    in_job = false;
}

static void leave_job(void)
{
    if (atomic_fetch_sub(&pool.inside, 1) == 1 && atomic_load(&pool.caller_waits)) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_signal(&pool.idle);
        pthread_mutex_unlock(&pool.lock);
    }
}

static bool new_job(uint64_t seen)
{
    uint64_t job = atomic_load(&pool.open_job);
    return job != 0 && job != seen;
}

/* False when the pool is being released. */
static bool wait_for_job(uint64_t seen)
{
    for (int i = 0; i < pool.spins; i++) {
        if (new_job(seen))
            return true;
        cpu_relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleepers, 1);
    while (!pool.quit && !new_job(seen))
        pthread_cond_wait(&pool.work, &pool.lock);
    atomic_fetch_sub(&pool.sleepers, 1);
    bool quit = pool.quit;
    pthread_mutex_unlock(&pool.lock);
    return !quit;
}

static void *worker_main(void *index)
{
    thread_index = (int)(intptr_t)index;
    uint64_t seen = 0;
    while (wait_for_job(seen)) {
        atomic_fetch_add(&pool.inside, 1);
        uint64_t job = atomic_load(&pool.open_job);
        if (job != 0 && job != seen) {
            take_tickets();
            seen = job;
        }
        leave_job();
    }
    return NULL;
}

static void wake_workers(int64_t wanted)
{
    int sleepers = atomic_load(&pool.sleepers);
    if (sleepers == 0)
        return;
    pthread_mutex_lock(&pool.lock);
    if (wanted >= sleepers)
        pthread_cond_broadcast(&pool.work);
    else
        for (int64_t i = 0; i < wanted; i++)
            pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
}

static void wait_until_idle(void)
{
    for (int i = 0; i < pool.spins; i++) {
        if (atomic_load(&pool.inside) == 0)
            return;
        cpu_relax();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.caller_waits, true);
    while (atomic_load(&pool.inside) != 0)
        pthread_cond_wait(&pool.idle, &pool.lock);
    atomic_store(&pool.caller_waits, false);
    pthread_mutex_unlock(&pool.lock);
}

static void run_serially(int64_t n, void (*fn)(void *arg, int64_t i, int thread), void *arg)
{
    bool nested = in_job;
    in_job = true;
    for (int64_t i = 0; i < n; i++)
        fn(arg, i, thread_index);
    in_job = nested;
}

void pool_for(int64_t n, void (*fn)(void *arg, int64_t i, int thread), void *arg)
{
    /* A second thread of the program that finds the pool at work does its job alone. */
    if (n <= 1 || pool.n_threads <= 1 || in_job || pthread_mutex_trylock(&pool_busy) != 0) {
        run_serially(n, fn, arg);
        return;
    }
    pool.fn = fn;
    pool.arg = arg;
    pool.n = n;
    atomic_store_explicit(&pool.ticket, 0, memory_order_relaxed);
    atomic_store(&pool.open_job, ++pool.last_job);
    wake_workers(n - 1);
    take_tickets();
    atomic_store(&pool.open_job, 0);
    wait_until_idle();
    pthread_mutex_unlock(&pool_busy);
}

static int available_cores(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (n < 1)
        return 1;
    return n < MAX_THREADS ? n : MAX_THREADS;
}

void pool_init(int n_threads)
{
    pool_release();
    int cores = available_cores();
    if (n_threads <= 0)
        n_threads = cores;
    if (n_threads > MAX_THREADS)
        n_threads = MAX_THREADS;
    /* With more threads than cores a spinning one only keeps a working one off its core. */
    pool.spins = n_threads <= cores ? SPINS : 0;
    pool.workers = xcalloc((size_t)n_threads, sizeof *pool.workers);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals go to the main thread */
    int n = 1;
    for (; n < n_threads; n++)
        if (pthread_create(&pool.workers[n - 1], NULL, worker_main, (void *)(intptr_t)n) != 0)
            break;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pool.n_threads = n;
    if (n < n_threads)
        log_warn("only %d of %d threads could be started", n, n_threads);
}

int pool_threads(void)
{
    return pool.n_threads > 0 ? pool.n_threads : 1;
}

void pool_release(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.quit = true;
    pthread_cond_broadcast(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < pool.n_threads - 1; i++)
        pthread_join(pool.workers[i], NULL);
    free(pool.workers);
    pool.workers = NULL;
    pool.n_threads = 0;
    pool.quit = false;
}
