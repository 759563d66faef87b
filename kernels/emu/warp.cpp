/* warp.cpp - what the lanes of a warp do together, and cp.async. */
#include "kernels/emu/watch.h"

void emu_collect(unsigned mask, void (*fn)(void **, unsigned), void *arg, const char *file, int line)
{
    struct fiber *f = running();
    struct warp *w = &emu_warps[f->warp];
    if (!(mask >> f->lane & 1))
        emu_die("the calling lane is not in the mask", file, line);
    if (mask & ~w->alive)
        emu_die("the mask names a lane that has ended or does not exist", file, line);
    f->file = file;
    f->line = line;
    f->collective = fn;
    f->mask = mask;
    w->args[f->lane] = arg;
    w->arrived |= 1u << f->lane;
    if ((w->arrived & mask) != mask) {
        fiber_wait(IN_COLLECTIVE);
        return;
    }
    for (unsigned m = mask; m; m &= m - 1) {
        const struct fiber *other = &emu_fibers[f->warp * 32 + (unsigned)__builtin_ctz(m)];
        if (other->collective != fn || other->mask != mask || other->line != line)
            emu_die("lanes of one mask are at different warp collectives", file, line);
    }
    w->arrived &= ~mask;
    fn(w->args, mask);
    fibers_wake(f->warp, mask);
}

static void meet(void **args, unsigned mask)
{
    (void)args, (void)mask;
    watch_syncwarp(running()->warp);
}

void emu_syncwarp(unsigned mask, const char *file, int line)
{
    emu_collect(mask, meet, NULL, file, line);
}

/* --- shuffles --- */

struct shuffled {
    uint64_t value, result;
    unsigned from;
    const char *file;
    int line;
};

static void shuffle(void **args, unsigned mask)
{
    for (unsigned m = mask; m; m &= m - 1) {
        struct shuffled *s = (struct shuffled *)args[__builtin_ctz(m)];
        if (!(mask >> s->from & 1))
            emu_die("a shuffle reads a lane outside of the mask", s->file, s->line);
        s->result = ((struct shuffled *)args[s->from])->value;
    }
}

uint64_t emu_shuffle(unsigned mask, uint64_t value, enum emu_shuffle kind, int n, const char *file, int line)
{
    int lane = (int)emu_self->lane;
    int from = kind == EMU_FROM ? n & 31 : kind == EMU_XOR ? lane ^ n : kind == EMU_DOWN ? lane + n : lane - n;
    if (from < 0 || from > 31)
        from = lane;
    struct shuffled s = {value, 0, (unsigned)from, file, line};
    emu_collect(mask, shuffle, &s, file, line);
    return s.result;
}

/* --- mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32: who holds what is in the PTX manual --- */

struct fragments {
    float *d;
    const uint32_t *a;
    uint32_t b[2];
};

static float low(uint32_t pair)
{
    return __uint_as_float(pair << 16);
}

static float high(uint32_t pair)
{
    return __uint_as_float(pair & 0xffff0000u);
}

static void multiply(void **args, unsigned)
{
    float a[16][16], b[16][8], d[16][8];
    for (int l = 0; l < 32; l++) {
        const struct fragments *f = (const struct fragments *)args[l];
        int g = l >> 2, t = (l & 3) * 2;
        for (int i = 0; i < 4; i++) {
            int row = g + (i & 1) * 8, col = t + (i >> 1) * 8;
            a[row][col] = low(f->a[i]);
            a[row][col + 1] = high(f->a[i]);
        }
        for (int i = 0; i < 2; i++) {
            b[t + i * 8][g] = low(f->b[i]);
            b[t + i * 8 + 1][g] = high(f->b[i]);
        }
        for (int i = 0; i < 4; i++)
            d[g + (i >> 1) * 8][t + (i & 1)] = f->d[i];
    }
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++)
            for (int j = 0; j < 8; j++)
                d[i][j] += a[i][k] * b[k][j];
    for (int l = 0; l < 32; l++) {
        struct fragments *f = (struct fragments *)args[l];
        int g = l >> 2, t = (l & 3) * 2;
        for (int i = 0; i < 4; i++)
            f->d[i] = d[g + (i >> 1) * 8][t + (i & 1)];
    }
}

void emu_mma_m16n8k16_bf16(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, const char *file, int line)
{
    struct fragments f = {d, a, {b0, b1}};
    emu_collect(0xffffffffu, multiply, &f, file, line);
}

/* --- ldmatrix: lanes 8 i to 8 i + 7 give the rows of matrix i --- */

struct matrix_rows {
    uint32_t *r;
    const uint16_t *row;
    bool transposed;
};

static void load_matrices(void **args, unsigned)
{
    for (int l = 0; l < 32; l++) {
        const struct matrix_rows *m = (const struct matrix_rows *)args[l];
        int g = l >> 2, t = (l & 3) * 2;
        for (int i = 0; i < 4; i++) {
            void **rows = args + 8 * i;
            uint32_t first, second;
            if (m->transposed) {
                first = ((const struct matrix_rows *)rows[t])->row[g];
                second = ((const struct matrix_rows *)rows[t + 1])->row[g];
            } else {
                first = ((const struct matrix_rows *)rows[g])->row[t];
                second = ((const struct matrix_rows *)rows[g])->row[t + 1];
            }
            m->r[i] = first | second << 16;
        }
    }
}

void emu_ldmatrix_x4(uint32_t r[4], const void *row, bool transposed, const char *file, int line)
{
    if ((uintptr_t)row & 15)
        emu_die("a row of ldmatrix is not aligned to 16 bytes", file, line);
    watch_access(row, 16, WATCH_READ, (uintptr_t)line, false);
    struct matrix_rows m = {r, (const uint16_t *)row, transposed};
    emu_collect(0xffffffffu, load_matrices, &m, file, line);
}

/* --- cp.async: the bytes are read and arrive when they are waited for --- */

void emu_cp_async16(void *dst, const void *src, bool there, const char *file, int line)
{
    struct fiber *f = running();
    if (((uintptr_t)dst | (uintptr_t)src) & 15)
        emu_die("an address of cp.async is not aligned to 16 bytes", file, line);
    if (there)
        watch_access(src, 16, WATCH_READ, (uintptr_t)line, false);
    watch_access(dst, 16, WATCH_WRITE, (uintptr_t)line, false);
    memset(dst, 0xff, 16);
    f->copies.push_back({dst, src, there, f->group});
}

void emu_cp_async_commit(void)
{
    running()->group++;
}

void emu_cp_async_wait(int leave)
{
    struct fiber *f = running();
    size_t kept = 0;
    for (const async_copy c : f->copies) {
        if (c.group >= f->group - leave) {
            f->copies[kept++] = c;
            continue;
        }
        watch_arrival(c.dst, 16);
        if (c.there)
            memcpy(c.dst, c.src, 16);
        else
            memset(c.dst, 0, 16);
    }
    f->copies.resize(kept);
}
