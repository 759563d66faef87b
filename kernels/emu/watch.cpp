/* watch.cpp - the race detector: what each pair of bytes remembers, and the calls that -fsanitize=thread makes. */
#include "kernels/emu/watch.h"

#include <dlfcn.h>
#include <stdio.h>

#include <map>
#include <unordered_map>

/* The last access of one kind to two bytes. */
struct touch {
    uint32_t launch, block, barriers, syncwarps; /* launch 0: never */
    uint16_t thread;                             /* or several, below */
    uint32_t code;                               /* where, from the plug-in's beginning; 0: unknown */
};
enum { SEVERAL_LANES = 0x8000 /* + warp */, SEVERAL_WARPS = 0xffff, SEVERAL_BLOCKS = 0xffffffffu };

struct cell {
    struct touch written, read;
};
enum { CELL = 2, PAGE = 4096 };
struct page {
    struct cell cells[PAGE / CELL];
};

static struct {
    std::unordered_map<uintptr_t, struct page *> pages;
    uintptr_t last_number;
    struct page *last;
    std::map<uintptr_t, size_t> device; /* allocations */
    uintptr_t smem, smem_end;
    uint32_t launch, block, barriers, syncwarps[EMU_MAX_THREADS / 32];
} now;

extern "C" {
extern char __start_emu_shared[], __stop_emu_shared[];
extern char __ehdr_start[] __attribute__((visibility("hidden")));
extern char _end[] __attribute__((visibility("hidden")));
}

/* --- what happens --- */

void watch_launch(const char *name, const void *smem, size_t smem_bytes)
{
    now.launch++;
    now.block = 0;
    now.smem = (uintptr_t)smem;
    now.smem_end = now.smem + smem_bytes;
    traffic_launch(name);
}

void watch_block_begins(void)
{
    now.block++;
    now.barriers = 0;
    memset(now.syncwarps, 0, sizeof now.syncwarps);
}

void watch_block_ends(void)
{
    traffic_block_ends();
}

void watch_barrier(void)
{
    now.barriers++;
}

void watch_syncwarp(unsigned warp)
{
    now.syncwarps[warp]++;
}

void watch_allocated(void *p, size_t bytes)
{
    now.device[(uintptr_t)p] = bytes;
}

void watch_freed(void *p)
{
    now.device.erase((uintptr_t)p);
}

/* --- where --- */

static bool in_shared(uintptr_t p)
{
    return (p >= now.smem && p < now.smem_end) ||
           (p >= (uintptr_t)__start_emu_shared && p < (uintptr_t)__stop_emu_shared);
}

/* Arguments are on the host's stack, a thread's own arrays on the fiber's, constants in the plug-in. */
static bool is_private(uintptr_t p)
{
    uintptr_t stack = (uintptr_t)running()->stack, host = (uintptr_t)emu_host_stack();
    return (p >= stack && p < stack + EMU_STACK_BYTES) || (p >= host && p < host + (8u << 20)) ||
           (p >= (uintptr_t)__ehdr_start && p < (uintptr_t)_end);
}

static bool on_device(uintptr_t p, size_t bytes)
{
    auto next = now.device.upper_bound(p);
    if (next == now.device.begin())
        return false;
    --next;
    return p + bytes <= next->first + next->second;
}

static struct page *page_of(uintptr_t p)
{
    uintptr_t number = p / PAGE;
    if (number != now.last_number || !now.last) {
        struct page *&page = now.pages[number];
        if (!page)
            page = new struct page();
        now.last = page;
        now.last_number = number;
    }
    return now.last;
}

/* --- races --- */

static void print_place(const char *what, uint32_t code)
{
    Dl_info info;
    char command[600], line[400] = "";
    if (!code || !dladdr((void *)__ehdr_start, &info))
        return;
    snprintf(command, sizeof command, "addr2line -i -e '%s' 0x%x 2>/dev/null", info.dli_fname, code - 1);
    FILE *f = popen(command, "r");
    fprintf(stderr, "  %s:", what);
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        fprintf(stderr, " %s", line);
    }
    fprintf(stderr, "\n");
    if (f)
        pclose(f);
}

[[noreturn]] static void die_of_race(const struct touch *before, const struct touch *t, bool wrote, bool writes)
{
    char text[200];
    snprintf(text, sizeof text, "a race: thread %u %s what thread%s %u %s, with no barrier between", t->thread,
             writes ? "writes" : "reads", before->thread >= SEVERAL_LANES ? "s of warp" : "",
             before->thread >= SEVERAL_LANES ? before->thread & 31 : before->thread, wrote ? "wrote" : "read");
    print_place("now", t->code);
    print_place("before", before->code);
    emu_die(before->block == t->block ? text : "a race: two blocks of a launch meet, one writes", "watch", 0);
}

static bool is_ordered(const struct touch *before, const struct touch *t, bool shared)
{
    unsigned warp = t->thread >> 5;
    if (before->launch != t->launch || (shared && before->block != t->block))
        return true;
    if (before->block != t->block)
        return false;
    if (before->barriers < t->barriers || before->thread == t->thread)
        return true;
    bool same_warp = before->thread == (SEVERAL_LANES | warp) ||
                     (before->thread < SEVERAL_LANES && before->thread >> 5 == (int)warp);
    return same_warp && before->syncwarps < t->syncwarps;
}

/* Reads of one interval are kept as one, of a thread, a warp or several. */
static void add_read(struct touch *r, const struct touch *t, bool shared)
{
    uint16_t warp = (uint16_t)(SEVERAL_LANES | t->thread >> 5);
    if (r->launch != t->launch || (shared && r->block != t->block)) {
        *r = *t;
    } else if (r->block != t->block) {
        r->block = SEVERAL_BLOCKS;
    } else if (r->barriers < t->barriers || r->thread == t->thread) {
        *r = *t;
    } else if (r->thread == warp || (r->thread < SEVERAL_LANES && r->thread >> 5 == t->thread >> 5)) {
        if (r->syncwarps < t->syncwarps)
            *r = *t;
        else
            r->thread = warp;
    } else {
        r->thread = SEVERAL_WARPS;
    }
}

static void touch_cell(struct cell *c, const struct touch *t, enum watch_kind kind, bool shared)
{
    if (!is_ordered(&c->written, t, shared))
        die_of_race(&c->written, t, true, kind == WATCH_WRITE);
    if (kind == WATCH_READ) {
        add_read(&c->read, t, shared);
        return;
    }
    if (!is_ordered(&c->read, t, shared))
        die_of_race(&c->read, t, false, true);
    c->written = *t;
}

/* Marks the bytes; returns how many the launch had not touched that way before. */
static size_t touch_bytes(uintptr_t p, size_t bytes, enum watch_kind kind, uint32_t code, bool shared)
{
    unsigned thread = emu_self->warp * 32 + emu_self->lane;
    struct touch t = {now.launch, now.block, now.barriers, now.syncwarps[emu_self->warp], (uint16_t)thread, code};
    size_t first = 0;
    for (uintptr_t at = p & ~(uintptr_t)(CELL - 1); at < p + bytes; at += CELL) {
        struct cell *c = &page_of(at)->cells[at % PAGE / CELL];
        const struct touch *before = kind == WATCH_READ ? &c->read : &c->written;
        bool made_here = kind == WATCH_READ && c->written.launch == t.launch;
        first += before->launch != t.launch && !made_here ? (size_t)CELL : 0;
        touch_cell(c, &t, kind, shared);
    }
    return first;
}

void watch_arrival(const void *p, size_t bytes)
{
    touch_bytes((uintptr_t)p, bytes, WATCH_WRITE, 0, true);
}

void watch_access(const void *pointer, size_t bytes, enum watch_kind kind, uintptr_t place, bool from_code)
{
    uintptr_t p = (uintptr_t)pointer;
    if (!emu_self)
        return;
    bool shared = in_shared(p);
    if (!shared && is_private(p))
        return;
    uint32_t code = from_code ? (uint32_t)(place - (uintptr_t)__ehdr_start) : 0;
    if (!shared && !on_device(p, bytes)) {
        print_place("now", code);
        emu_die(kind == WATCH_READ ? "a read outside of device memory" : "a write outside of device memory", "watch", 0);
    }
    size_t first = touch_bytes(p, bytes, kind, code, shared);
    traffic_access(pointer, bytes, kind, place, shared, first);
}

/* --- the sanitizer's calls --- */

#define HERE ((uintptr_t)__builtin_return_address(0))
#define ACCESS(name, bytes, kind)                                   \
    extern "C" void __tsan_##name(void *p)                          \
    {                                                               \
        watch_access(p, bytes, kind, HERE, true);                   \
    }
ACCESS(read1, 1, WATCH_READ)
ACCESS(read2, 2, WATCH_READ)
ACCESS(read4, 4, WATCH_READ)
ACCESS(read8, 8, WATCH_READ)
ACCESS(read16, 16, WATCH_READ)
ACCESS(unaligned_read2, 2, WATCH_READ)
ACCESS(unaligned_read4, 4, WATCH_READ)
ACCESS(unaligned_read8, 8, WATCH_READ)
ACCESS(unaligned_read16, 16, WATCH_READ)
ACCESS(write1, 1, WATCH_WRITE)
ACCESS(write2, 2, WATCH_WRITE)
ACCESS(write4, 4, WATCH_WRITE)
ACCESS(write8, 8, WATCH_WRITE)
ACCESS(write16, 16, WATCH_WRITE)
ACCESS(unaligned_write2, 2, WATCH_WRITE)
ACCESS(unaligned_write4, 4, WATCH_WRITE)
ACCESS(unaligned_write8, 8, WATCH_WRITE)
ACCESS(unaligned_write16, 16, WATCH_WRITE)

extern "C" void __tsan_read_range(void *p, size_t bytes)
{
    watch_access(p, bytes, WATCH_READ, HERE, true);
}

extern "C" void __tsan_write_range(void *p, size_t bytes)
{
    watch_access(p, bytes, WATCH_WRITE, HERE, true);
}

extern "C" void __tsan_init(void) {}
extern "C" void __tsan_func_entry(void *) {}
extern "C" void __tsan_func_exit(void) {}
extern "C" void __tsan_vptr_update(void *, void *) {}
extern "C" void __tsan_vptr_read(void *) {}
