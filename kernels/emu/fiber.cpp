/* fiber.cpp - blocks, fibers, and which of them runs next. */
#include "kernels/emu/fiber.h"
#include "kernels/emu/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#define STACK_BYTES EMU_STACK_BYTES

emu_thread *emu_self;
uint3 emu_block;
dim3 emu_block_dim, emu_grid_dim;
struct fiber emu_fibers[EMU_MAX_THREADS];
struct warp emu_warps[EMU_MAX_THREADS / 32];

extern "C" {
extern char __start_emu_shared[] __attribute__((weak)), __stop_emu_shared[] __attribute__((weak));
}

static struct {
    unsigned n_threads, n_warps, n_alive;
    unsigned runnable; /* warps with a lane that can run */
    unsigned at_barrier[EMU_MAX_THREADS / 32], n_at_barrier;
    void (*body)(void *);
    void *arg;
    const char *name;
    unsigned char *smem;
    unsigned seed;
    uint64_t random;
    void *sp, *fake_stack; /* the host's */
    const void *stack_bottom;
    size_t stack_size;
} block;

/* --- errors --- */

static void print_waiting(void)
{
    int shown = 0;
    for (unsigned i = 0; i < block.n_threads && shown < 8; i++) {
        const struct fiber *f = &emu_fibers[i];
        bool like_last = i > 0 && f[-1].state == f->state && f[-1].line == f->line;
        if ((f->state != IN_COLLECTIVE && f->state != AT_BARRIER) || like_last)
            continue;
        fprintf(stderr, "  thread %u and on: %s at %s:%d\n", i,
                f->state == AT_BARRIER ? "a barrier" : "a warp collective", f->file, f->line);
        shown++;
    }
}

void emu_die(const char *what, const char *file, int line)
{
    fprintf(stderr, "emu: %s:%d: %s\n", file ? file : "?", line, what);
    if (emu_self)
        fprintf(stderr, "  in %s, block (%u, %u, %u), thread %u\n", block.name, emu_block.x, emu_block.y,
                emu_block.z, emu_self->warp * 32 + emu_self->lane);
    print_waiting();
    abort();
}

/* --- switching: the registers that a call preserves, and the stack --- */

extern "C" void emu_switch(void **save, void *load);
#if defined(__x86_64__)
__asm__(".text\n.globl emu_switch\n.hidden emu_switch\nemu_switch:\n"
        "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
        "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
        "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n"
        ".section .note.GNU-stack,\"\",@progbits\n.text\n");
#else
#error "the emulator switches fibers on x86-64 only"
#endif

static void *new_stack_pointer(char *stack, void (*entry)(void))
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(stack + STACK_BYTES - 4096, 4096); /* entry() never returned */
#endif
    void **sp = (void **)(stack + STACK_BYTES) - 1; /* as after a call: 8 below a multiple of 16 */
    *sp = NULL;
    *--sp = (void *)entry;
    for (int i = 0; i < 6; i++)
        *--sp = NULL;
    return sp;
}

static void jump(void **save, void **fake_stack, void *sp, const void *bottom, size_t size)
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(fake_stack, bottom, size);
    emu_switch(save, sp);
    __sanitizer_finish_switch_fiber(fake_stack ? *fake_stack : NULL, NULL, NULL);
#else
    (void)fake_stack, (void)bottom, (void)size;
    emu_switch(save, sp);
#endif
}

/* --- the next one --- */

static uint64_t next_random(void)
{
    block.random ^= block.random << 13;
    block.random ^= block.random >> 7;
    block.random ^= block.random << 17;
    return block.random;
}

static unsigned lowest(unsigned set)
{
    return (unsigned)__builtin_ctz(set);
}

static unsigned highest(unsigned set)
{
    return 31 - (unsigned)__builtin_clz(set);
}

static unsigned any(unsigned set, unsigned from)
{
    unsigned turned = from ? set >> from | set << (32 - from) : set;
    return (lowest(turned) + from) & 31;
}

/* NULL if none can run. */
static struct fiber *pick(void)
{
    if (!block.runnable)
        return NULL;
    unsigned warp = emu_self ? emu_self->warp : 0, lane;
    if (block.seed > 1) {
        uint64_t r = next_random();
        warp = any(block.runnable, r & 31);
        lane = any(emu_warps[warp].runnable, r >> 8 & 31);
    } else {
        unsigned (*first)(unsigned) = block.seed == 1 ? highest : lowest;
        if (!emu_self || !emu_warps[warp].runnable)
            warp = first(block.runnable);
        lane = first(emu_warps[warp].runnable);
    }
    return &emu_fibers[warp * 32 + lane];
}

static void run_next(void)
{
    static void *nowhere;
    struct fiber *me = running(), *next = pick();
    bool ends = me && me->state == DONE;
    if (me && next == me)
        return;
    if (!next && block.n_alive > 0)
        emu_die("deadlock: no thread can go on", me->file, me->line);
    emu_self = next;
    if (!next)
        jump(&nowhere, NULL, block.sp, block.stack_bottom, block.stack_size);
    else
        jump(ends ? &nowhere : me ? &me->sp : &block.sp,
             ends ? NULL : me ? &me->fake_stack : &block.fake_stack, next->sp, next->stack, STACK_BYTES);
}

static void stop_running(const struct fiber *f)
{
    emu_warps[f->warp].runnable &= ~(1u << f->lane);
    if (!emu_warps[f->warp].runnable)
        block.runnable &= ~(1u << f->warp);
}

void fiber_wait(enum fiber_state state)
{
    running()->state = state;
    stop_running(running());
    run_next();
}

void fibers_wake(unsigned warp, unsigned lanes)
{
    for (unsigned m = lanes; m; m &= m - 1)
        emu_fibers[warp * 32 + lowest(m)].state = RUNS;
    emu_warps[warp].runnable |= lanes;
    if (lanes)
        block.runnable |= 1u << warp;
}

/* --- __syncthreads --- */

static void release_barrier(void)
{
    watch_barrier();
    for (unsigned w = 0; w < block.n_warps; w++) {
        fibers_wake(w, block.at_barrier[w]);
        block.at_barrier[w] = 0;
    }
    block.n_at_barrier = 0;
}

void emu_barrier(const char *file, int line)
{
    struct fiber *f = running();
    for (unsigned w = 0; w < block.n_warps; w++) {
        const struct fiber *other = block.at_barrier[w] ? &emu_fibers[w * 32 + lowest(block.at_barrier[w])] : NULL;
        if (other && (other->line != line || strcmp(other->file, file) != 0))
            emu_die("threads wait at different barriers", file, line);
    }
    if (block.n_alive < block.n_threads)
        emu_die("a barrier that some threads never reach: they have ended", file, line);
    f->file = file;
    f->line = line;
    block.n_at_barrier++;
    block.at_barrier[f->warp] |= 1u << f->lane;
    if (block.n_at_barrier == block.n_alive)
        release_barrier();
    else
        fiber_wait(AT_BARRIER);
}

/* --- blocks --- */

static void exit_thread(struct fiber *f)
{
    struct warp *w = &emu_warps[f->warp];
    if (!f->copies.empty())
        emu_die("a thread ends with copies that it never waited for", "cp.async", 0);
    for (unsigned m = w->arrived; m; m &= m - 1) {
        const struct fiber *other = &emu_fibers[f->warp * 32 + lowest(m)];
        if (other->mask >> f->lane & 1)
            emu_die("a lane ends while others wait for it", other->file, other->line);
    }
    if (block.n_at_barrier > 0)
        emu_die("a thread ends while others wait for it at a barrier", "barrier", 0);
    w->alive &= ~(1u << f->lane);
    block.n_alive--;
    f->state = DONE;
    stop_running(f);
}

static void thread_main(void)
{
#if defined(__SANITIZE_ADDRESS__)
    const void *bottom;
    size_t size;
    __sanitizer_finish_switch_fiber(NULL, &bottom, &size);
    if (!block.stack_bottom) {
        block.stack_bottom = bottom;
        block.stack_size = size;
    }
#endif
    block.body(block.arg);
    exit_thread(running());
    run_next();
}

/* NaNs.  What sanitizers guard in between is written too. */
__attribute__((no_sanitize("address"))) static void poison(volatile char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (char)0xff;
}

static void begin_block(dim3 dim, size_t smem)
{
    watch_block_begins();
    block.n_alive = block.n_threads;
    block.runnable = block.n_at_barrier = 0;
    memset(block.at_barrier, 0, sizeof block.at_barrier);
    poison(__start_emu_shared, (size_t)(__stop_emu_shared - __start_emu_shared));
    poison((char *)block.smem, smem);
    for (unsigned w = 0; w < block.n_warps; w++) {
        unsigned n = block.n_threads - w * 32;
        emu_warps[w].arrived = emu_warps[w].runnable = 0;
        emu_warps[w].alive = n >= 32 ? ~0u : (1u << n) - 1;
        fibers_wake(w, emu_warps[w].alive);
    }
    for (unsigned t = 0; t < block.n_threads; t++) {
        struct fiber *f = &emu_fibers[t];
        f->index = {t % dim.x, t / dim.x % dim.y, t / dim.x / dim.y};
        f->lane = t & 31;
        f->warp = t >> 5;
        f->group = 0;
        f->sp = new_stack_pointer(f->stack, thread_main);
    }
}

static void check_launch(const void *kernel, const char *name, dim3 grid, dim3 dim, size_t smem)
{
    uint64_t threads = (uint64_t)dim.x * dim.y * dim.z;
    if (emu_self)
        emu_die("a launch within a kernel", name, 0);
    if (threads == 0 || threads > EMU_MAX_THREADS || dim.z > 64)
        emu_die("no such block size", name, 0);
    if (!grid.x || !grid.y || !grid.z || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535)
        emu_die("no such grid size", name, 0);
    if (smem > EMU_PLAIN_SMEM && smem > emu_smem_limit(kernel))
        emu_die("more than 48 KiB of dynamic shared memory without cudaFuncSetAttribute", name, 0);
}

static void get_stacks(const char *name)
{
    for (unsigned i = 0; i < block.n_threads; i++) {
        if (emu_fibers[i].stack)
            continue;
        void *p = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            emu_die("no memory for stacks", name, 0);
        emu_fibers[i].stack = (char *)p;
    }
}

static unsigned char *get_smem(size_t smem, const char *name)
{
    size_t size = (smem + 127) / 128 * 128;
    unsigned char *p = size ? (unsigned char *)aligned_alloc(128, size) : NULL;
    if (size && !p)
        emu_die("no memory for shared memory", name, 0);
#if defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(p + smem, size - smem);
#endif
    return p;
}

static void free_smem(unsigned char *p, size_t smem)
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(p + smem, (smem + 127) / 128 * 128 - smem);
#endif
    (void)smem;
    free(p);
}

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    return b ? common_divisor(b, a % b) : a;
}

void emu_launch(const void *kernel, const char *name, dim3 grid, dim3 dim, size_t smem, void (*body)(void *),
                void *arg)
{
    check_launch(kernel, name, grid, dim, smem);
    block.n_threads = dim.x * dim.y * dim.z;
    block.n_warps = (block.n_threads + 31) / 32;
    block.name = name;
    block.body = body;
    block.arg = arg;
    get_stacks(name);
    block.smem = get_smem(smem, name);
    emu_block_dim = dim;
    emu_grid_dim = grid;
    watch_launch(name, block.smem, smem);
    uint64_t n = (uint64_t)grid.x * grid.y * grid.z, step = 1, first = 0;
    if (block.seed > 1) { /* a random order of the blocks */
        first = next_random() % n;
        do
            step = 1 + next_random() % n;
        while (common_divisor(step, n) != 1);
    }
    for (uint64_t i = 0; i < n; i++) {
        uint64_t b = block.seed == 1 ? n - 1 - i : (i * step + first) % n;
        emu_block = {(unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y), (unsigned)(b / grid.x / grid.y)};
        begin_block(dim, smem);
        run_next();
        watch_block_ends();
    }
    free_smem(block.smem, smem);
    block.smem = NULL;
}

void *emu_host_stack(void)
{
    return block.sp;
}

void *emu_dynamic_smem(void)
{
    return block.smem;
}

void emu_schedule(unsigned seed)
{
    block.seed = seed;
    block.random = 0x9e3779b97f4a7c15u * (seed + 1);
}
