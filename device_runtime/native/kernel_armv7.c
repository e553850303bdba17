/* 32-bit ARM with NEON: armv7 processors that say so.
 *
 * Only the products are done here: this NEON takes denormal floats for zero, which is not the arithmetic.
 */
#include "model.h"

#if defined(HAS_NEON_KERNEL) && defined(__arm__)
#if !defined(__clang__)
#pragma GCC target("fpu=neon")
#endif
#include <arm_neon.h>
#include <string.h>
#include <sys/auxv.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("neon"))), apply_to = function)
#endif

#define BLOCKS 1 /* half as many registers as aarch64 has: too few for pairs of tiles, too */
#define CHAINS 1

/* Each register sums 8 products of a tile: of two rows if it is dense, of one if it is sparse. */
typedef struct {
    int32x4_t of[8];
} sums;
typedef int8x8_t inputs;
typedef struct {
    int8x8_t low, high;
} codes;

static inline sums no_sums(void) {
    const int32x4_t zero = vdupq_n_s32(0);
    return (sums){{zero, zero, zero, zero, zero, zero, zero, zero}};
}

static inline sums start(const int32_t *offset, uint32_t row) { return (void)offset, (void)row, no_sums(); }

static inline sums add_sums(sums a, sums b) {
    for (int i = 0; i < 8; i++) {
        a.of[i] = vaddq_s32(a.of[i], b.of[i]);
    }
    return a;
}

static inline int32x4_t folded(int32x4_t a, int32x4_t b) {
    int32x2_t first = vpadd_s32(vget_low_s32(a), vget_high_s32(a));
    return vcombine_s32(first, vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
}

static inline void store_high(int32_t *to, sums sum) {
    for (int i = 0; i < 4; i++) {
        vst1q_s32(to + 4 * i, folded(sum.of[2 * i], sum.of[2 * i + 1]));
    }
}

static inline void store_folded(int32_t *to, sums sum) {
    for (int i = 0; i < 2; i++) {
        const int32x4_t *four = sum.of + 4 * i;
        vst1q_s32(to + 4 * i, folded(folded(four[0], four[1]), folded(four[2], four[3])));
    }
}

static inline inputs load_4(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return vreinterpret_s8_s32(vdup_n_s32(four));
}

static inline inputs load_8(const uint8_t *q) { return vld1_s8((const int8_t *)q); }
static inline codes load_codes(const int8_t *codebook) { return (codes){vld1_s8(codebook), vld1_s8(codebook + 8)}; }

/* The values of 8 codes. */
static inline int8x8_t decoded(uint8x8_t code, codes book) {
    int8x8x2_t table = {{book.low, book.high}};
    return vtbl2_s8(table, vreinterpret_s8_u8(code));
}

/* A product fits an int16, and neighbours are added up in int32. */
static inline int32x4_t dot_part(int32x4_t sum, int8x8_t w, inputs x) { return vpadalq_s16(sum, vmull_s8(w, x)); }

static inline sums dot(sums sum, const uint8_t *tile, inputs x, codes book, bool is_4bit) {
    for (int i = 0; i < 4; i++) {
        if (is_4bit) {
            uint8x8_t packed = vld1_u8(tile + 8 * i);
            sum.of[i] = dot_part(sum.of[i], decoded(vand_u8(packed, vdup_n_u8(15)), book), x);
            sum.of[4 + i] = dot_part(sum.of[4 + i], decoded(vshr_n_u8(packed, 4), book), x);
        } else {
            const int8_t *w = (const int8_t *)tile + 16 * i;
            sum.of[2 * i] = dot_part(sum.of[2 * i], vld1_s8(w), x);
            sum.of[2 * i + 1] = dot_part(sum.of[2 * i + 1], vld1_s8(w + 8), x);
        }
    }
    return sum;
}

static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    return (void)m, (void)count, (void)q, (void)gathered, false;
}

#include "product.h"

enum { HAS_NEON = 1 << 12 }; /* HWCAP_NEON of 32-bit ARM */
static bool runs_here(void) { return (getauxval(AT_HWCAP) & HAS_NEON) != 0; }
const kernel tinyrnn_neon = {"neon", false, {13, 10, 1}, {12, 5, 1}, 128,
                             runs_here, product, product_back, &tinyrnn_portable_lines, products, false};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
