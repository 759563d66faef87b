/* stop.c - signals that ask a long-running program to save and stop. */
#include "base/stop.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/err.h"

/* Lock-free atomics: set in a handler, read by any thread. */
static atomic_bool stop_flag, checkpoint_flag;

static void on_stop(int number)
{
    (void)number;
    atomic_store(&stop_flag, true);
}

static void on_checkpoint(int number)
{
    (void)number;
    atomic_store(&checkpoint_flag, true);
}

static void handle(int number, void (*handler)(int), int flags)
{
    /* SA_RESTART: a save that is being written must not fail with EINTR. */
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | flags};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) < 0)
        BUG("sigaction(%d) failed", number);
}

void stop_install(void)
{
    handle(SIGTERM, on_stop, 0);
    handle(SIGUSR1, on_stop, 0);
    handle(SIGINT, on_stop, (int)SA_RESETHAND); /* the second one finds the default action */
    handle(SIGUSR2, on_checkpoint, 0);
}

bool stop_requested(void)
{
    return atomic_load(&stop_flag);
}

bool stop_checkpoint_requested(void)
{
    return atomic_exchange(&checkpoint_flag, false);
}
