/* tile.c - the inner loop of all matrix products: a tile of C in registers.
 *
 * tile_body() is expanded for every shape that fits the registers; the loops over rows and
 * vectors have constant bounds and unroll completely.
 */
#include "kernels/cpu/cpu.h"

#define INLINE static inline __attribute__((always_inline))
#define MAX_ROWS 12
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 12")
#endif

/* int8 of two rows as pairs: such numbers fill no more than the upper half of a float. */
INLINE vf load_int8_pairs(const int8_t *b)
{
    vu even = (vu)vload_int8(b), odd = (vu)vload_int8(b + NR);
    return (vf)(even >> 16 | odd);
}

INLINE vf load_b(const void *b, const enum b_type t, int64_t i)
{
    return t == B_F32 || t == B_PAIRS ? vload((const float *)b + i)
           : t == B_BF16              ? vload_bf16((const uint16_t *)b + i)
           : t == B_INT8_PAIRS        ? load_int8_pairs((const int8_t *)b + i)
                                      : vload_int8((const int8_t *)b + i);
}

INLINE vf multiply_add(const enum b_type t, vf x, vf y, vf sum)
{
#ifdef TP_DOT
    if (t == B_PAIRS || t == B_INT8_PAIRS)
        return vdot(x, y, sum);
#endif
    (void)t;
    return vfma(x, y, sum);
}

INLINE void tile_body(const struct tile *t, const int mr, const int np, const int nv,
                      const enum b_type type, const bool cols)
{
    const int64_t step_r = cols ? 1 : t->lda, step_k = cols ? t->lda : 1;
    const int64_t ldb = t->ldb, panel = t->panel, ldc = t->ldc, K = t->K;
    const int n = np * nv;
    const int64_t row = ldb * b_bytes(type);
    const float *a = t->a;
    const char *b = t->b;
    float *c = t->c;
    vf acc[MAX_ROWS][8];
    const bool load = t->load, fetch = np <= 2 && nv == 2 && !cols;
    const char *ahead = fetch && t->ahead ? t->ahead : b;
    const int64_t ahead_step = fetch && t->ahead ? t->ahead_step : 0;
    const int64_t next = panel * b_bytes(type);
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
    for (int v = 0; v < n; v++)
        acc[r][v] = load ? vload(c + r * ldc + v * VW) : (vf){0};
    for (int64_t k = 0; k < K; k++, a += step_k, b += row) {
        vf bk[8];
        if (fetch) {
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(ahead + 64, 0, 2);
        }
        if (fetch && np == 2) {
            __builtin_prefetch(ahead + next, 0, 2);
            __builtin_prefetch(ahead + next + 64, 0, 2);
        }
        ahead += ahead_step;
        UNROLL
        for (int v = 0; v < n; v++)
            bk[v] = load_b(b, type, v / nv * panel + v % nv * VW);
        UNROLL
        for (int r = 0; r < mr; r++) {
            vf x = vset(a[r * step_r]);
            UNROLL
            for (int v = 0; v < n; v++)
                acc[r][v] = multiply_add(type, x, bk[v], acc[r][v]);
        }
    }
    UNROLL
    for (int r = 0; r < mr; r++)
        UNROLL
    for (int v = 0; v < n; v++)
        vstore(c + r * ldc + v * VW, acc[r][v]);
}

typedef void tile_fn(const struct tile *t);

/* One function per (rows, panels, vectors, type of B, order of A). */
#define TILE(mr, np, nv)                                                                           \
    static void tile_##mr##_##np##_##nv(const struct tile *t)                                      \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_F32, false);                                                    \
    }                                                                                              \
    static void tile_bf16_##mr##_##np##_##nv(const struct tile *t)                                 \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_BF16, false);                                                   \
    }
#define TILE_INT8(mr, np, nv)                                                                      \
    static void tile_int8_##mr##_##np##_##nv(const struct tile *t)                                 \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_INT8, false);                                                   \
    }
#define TILE_COL(mr, np, nv)                                                                       \
    static void tile_col_##mr##_##np##_##nv(const struct tile *t)                                  \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_F32, true);                                                     \
    }
#define TILE_PAIRS(mr, np, nv)                                                                     \
    static void tile_pairs_##mr##_##np##_##nv(const struct tile *t)                                \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_PAIRS, false);                                                  \
    }
#define TILE_INT8_PAIRS(mr, np, nv)                                                                \
    static void tile_int8_pairs_##mr##_##np##_##nv(const struct tile *t)                           \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_INT8_PAIRS, false);                                             \
    }
#define TILE_COL_PAIRS(mr, np, nv)                                                                 \
    static void tile_col_pairs_##mr##_##np##_##nv(const struct tile *t)                            \
    {                                                                                              \
        tile_body(t, mr, np, nv, B_PAIRS, true);                                                   \
    }

#define ROWS_1(F, ...) F(1, __VA_ARGS__)
#define ROWS_2(F, ...) ROWS_1(F, __VA_ARGS__) F(2, __VA_ARGS__)
#define ROWS_3(F, ...) ROWS_2(F, __VA_ARGS__) F(3, __VA_ARGS__)
#define ROWS_4(F, ...) ROWS_3(F, __VA_ARGS__) F(4, __VA_ARGS__)
#define ROWS_6(F, ...) ROWS_4(F, __VA_ARGS__) F(5, __VA_ARGS__) F(6, __VA_ARGS__)
#define ROWS_8(F, ...) ROWS_6(F, __VA_ARGS__) F(7, __VA_ARGS__) F(8, __VA_ARGS__)
#define ROWS_12(F, ...)                                                                            \
    ROWS_8(F, __VA_ARGS__)                                                                         \
    F(9, __VA_ARGS__) F(10, __VA_ARGS__) F(11, __VA_ARGS__) F(12, __VA_ARGS__)

#if VW == 16
#define SHAPE_1_1(F) ROWS_8(F, 1, 1)
#define SHAPE_1_2(F) ROWS_12(F, 1, 2)
#define SHAPE_1_4(F) ROWS_4(F, 1, 4)
#define SHAPE_2_1(F) ROWS_8(F, 2, 1)
#define SHAPE_2_2(F) ROWS_4(F, 2, 2)
#define SHAPE_4_1(F) ROWS_4(F, 4, 1)
#define SHAPE_4_2(F) ROWS_2(F, 4, 2)
#elif VW == 8
#define SHAPE_1_1(F) ROWS_8(F, 1, 1)
#define SHAPE_1_2(F) ROWS_6(F, 1, 2)
#define SHAPE_1_4(F) ROWS_2(F, 1, 4)
#define SHAPE_2_1(F) ROWS_4(F, 2, 1)
#define SHAPE_2_2(F) ROWS_3(F, 2, 2)
#define SHAPE_4_1(F) ROWS_2(F, 4, 1)
#define SHAPE_4_2(F) ROWS_1(F, 4, 2)
#else
#define SHAPE_1_1(F) ROWS_8(F, 1, 1)
#define SHAPE_1_2(F) ROWS_4(F, 1, 2)
#define SHAPE_1_4(F) ROWS_2(F, 1, 4)
#define SHAPE_2_1(F) ROWS_4(F, 2, 1)
#define SHAPE_2_2(F) ROWS_2(F, 2, 2)
#define SHAPE_4_1(F) ROWS_2(F, 4, 1)
#define SHAPE_4_2(F) ROWS_1(F, 4, 2)
#endif

#define SHAPES(F)                                                                                  \
    SHAPE_1_1(F) SHAPE_1_2(F) SHAPE_1_4(F) SHAPE_2_1(F) SHAPE_2_2(F) SHAPE_4_1(F) SHAPE_4_2(F)

#define PANEL_SHAPES(F) SHAPE_1_2(F) SHAPE_2_2(F) SHAPE_4_2(F)

SHAPES(TILE)
PANEL_SHAPES(TILE_INT8)
SHAPE_1_1(TILE_COL)
SHAPE_1_2(TILE_COL)

/* Indexed by panels, vectors and rows: log2(np), log2(nv). */
#define ENTRY(mr, np, nv) [np / 2][nv / 2][mr] = tile_##mr##_##np##_##nv,
#define ENTRY_BF16(mr, np, nv) [np / 2][nv / 2][mr] = tile_bf16_##mr##_##np##_##nv,
#define ENTRY_INT8(mr, np, nv) [np / 2][nv / 2][mr] = tile_int8_##mr##_##np##_##nv,
#define ENTRY_PAIRS(mr, np, nv) [np / 2][nv / 2][mr] = tile_pairs_##mr##_##np##_##nv,
#define ENTRY_COL_PAIRS(mr, np, nv) [np / 2][nv / 2][mr] = tile_col_pairs_##mr##_##np##_##nv,
#define ENTRY_INT8_PAIRS(mr, np, nv) [np / 2][nv / 2][mr] = tile_int8_pairs_##mr##_##np##_##nv,
#define ENTRY_COL(mr, np, nv) [np / 2][nv / 2][mr] = tile_col_##mr##_##np##_##nv,
typedef tile_fn *tile_table[3][3][MAX_ROWS + 1];
static const tile_table table_f32 = {SHAPES(ENTRY)};
static const tile_table table_bf16 = {SHAPES(ENTRY_BF16)};
static const tile_table table_int8 = {PANEL_SHAPES(ENTRY_INT8)};
static const tile_table table_cols = {SHAPE_1_1(ENTRY_COL) SHAPE_1_2(ENTRY_COL)};
#ifdef TP_DOT
SHAPES(TILE_PAIRS)
SHAPE_1_1(TILE_COL_PAIRS)
SHAPE_1_2(TILE_COL_PAIRS)
PANEL_SHAPES(TILE_INT8_PAIRS)
static const tile_table table_int8_pairs = {PANEL_SHAPES(ENTRY_INT8_PAIRS)};
static const tile_table table_pairs = {SHAPES(ENTRY_PAIRS)};
static const tile_table table_col_pairs = {SHAPE_1_1(ENTRY_COL_PAIRS) SHAPE_1_2(ENTRY_COL_PAIRS)};
#endif

static const tile_table *table_of(enum b_type type, enum tile_order order)
{
#ifdef TP_DOT
    if (type == B_PAIRS)
        return order == TILE_COLS ? &table_col_pairs : &table_pairs;
    if (type == B_INT8_PAIRS)
        return &table_int8_pairs;
#endif
    if (order == TILE_COLS)
        return &table_cols;
    return type == B_F32 ? &table_f32 : type == B_BF16 ? &table_bf16 : &table_int8;
}

/* Any number of rows: as few tiles as possible, of about equal height. */
void tile_run(const struct tile *t, enum tile_order order, int np, int nv, int64_t rows)
{
    tile_fn *const *fn = (*table_of(t->b_type, order))[np / 2][nv / 2];
    int most = MAX_ROWS;
    while (!fn[most])
        most--;
    struct tile part = *t;
    part.ahead_step = t->ldb * b_bytes(t->b_type) * most / (rows > most ? rows : most);
    const bool dots = DOTS && (t->b_type == B_PAIRS || t->b_type == B_INT8_PAIRS);
    unsigned mode = dots ? vdot_begin() : 0;
    while (rows > 0) {
        int64_t mr = rows <= most ? rows : rows >= 2 * most ? most : (rows + 1) / 2;
        fn[mr](&part);
        part.a += order == TILE_COLS ? mr : mr * t->lda;
        part.c += mr * t->ldc;
        if (t->ahead)
            part.ahead += part.ahead_step * t->K;
        rows -= mr;
    }
    if (dots)
        vdot_end(mode);
}
