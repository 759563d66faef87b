/* amx.h - the eight matrix tiles of AMX, as a thin layer over the instructions.
 *
 * With TP_EMULATE the tiles are memory and the one arithmetic instruction is a loop after its
 * description in Intel's manual (TDPBF16PS), rounding and flushing alike; so the code above is
 * tested, bit by bit, on processors without it.
 */
#ifndef TP_KERNELS_CPU_AMX_H
#define TP_KERNELS_CPU_AMX_H

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define AMX_ROWS 16  /* rows of a tile, each of 64 bytes: 16 floats or 32 bf16 */
#define AMX_K 32     /* elements of k in a step */
#define AMX_TILE 512 /* bf16 in a tile */

/* LDTILECFG's operand: tiles 0 to 3 are C, 4 and 5 are A, 6 and 7 are B. */
struct amx_config {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};

#ifndef TP_EMULATE

/* The compiler's own intrinsic declares a smaller operand than the instruction reads (gcc 12), and
 * stores to the rest were removed: hence the clobber. */
static inline void amx_configure(const struct amx_config *c)
{
    __asm__ volatile("ldtilecfg %0" : : "m"(*c) : "memory");
}

#define amx_leave() _tile_release()
#define amx_zero(t) _tile_zero(t)
#define amx_load(t, p, row_bytes) _tile_loadd(t, p, row_bytes)
#define amx_store(t, p, row_bytes) _tile_stored(t, p, row_bytes)
#define amx_multiply(c, a, b) _tile_dpbf16ps(c, a, b)

#else

struct amx_tiles {
    struct amx_config config;
    _Alignas(64) uint8_t t[8][AMX_ROWS][64];
};

static _Thread_local struct amx_tiles amx_tiles;

static inline void amx_configure(const struct amx_config *c)
{
    memset(&amx_tiles, 0, sizeof amx_tiles);
    amx_tiles.config = *c;
}

static inline void amx_leave(void)
{
    memset(&amx_tiles, 0, sizeof amx_tiles);
}

static inline void amx_zero(int t)
{
    memset(amx_tiles.t[t], 0, sizeof amx_tiles.t[t]);
}

static inline void amx_load(int t, const void *p, int64_t row_bytes)
{
    amx_zero(t);
    for (int r = 0; r < amx_tiles.config.rows[t]; r++)
        memcpy(amx_tiles.t[t][r], (const char *)p + r * row_bytes, amx_tiles.config.row_bytes[t]);
}

static inline void amx_store(int t, void *p, int64_t row_bytes)
{
    for (int r = 0; r < amx_tiles.config.rows[t]; r++)
        memcpy((char *)p + r * row_bytes, amx_tiles.t[t][r], amx_tiles.config.row_bytes[t]);
}

static inline float amx_float(const uint8_t *row, int i)
{
    uint16_t h;
    memcpy(&h, row + 2 * i, 2);
    uint32_t u = (uint32_t)h << 16;
    float f;
    memcpy(&f, &u, 4);
    return f;
}

/* Even and odd k are two chains of multiply-adds from zero; their sum is added to C. */
static inline void amx_multiply(int c, int a, int b)
{
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* the instruction flushes denormals, inputs and results */
    for (int m = 0; m < amx_tiles.config.rows[c]; m++) {
        float even[16] = {0}, odd[16] = {0}, sum[16];
        for (int k = 0; k < 16; k++) {
            float x = amx_float(amx_tiles.t[a][m], 2 * k);
            float y = amx_float(amx_tiles.t[a][m], 2 * k + 1);
            for (int n = 0; n < 16; n++) {
                even[n] = __builtin_fmaf(x, amx_float(amx_tiles.t[b][k], 2 * n), even[n]);
                odd[n] = __builtin_fmaf(y, amx_float(amx_tiles.t[b][k], 2 * n + 1), odd[n]);
            }
        }
        memcpy(sum, amx_tiles.t[c][m], sizeof sum);
        for (int n = 0; n < 16; n++)
            sum[n] += even[n] + odd[n];
        memcpy(amx_tiles.t[c][m], sum, sizeof sum);
    }
    _mm_setcsr(mode);
}

#endif
#endif
