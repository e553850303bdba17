/* ARM with NEON: every aarch64, and armv7 processors that say so.
 *
 * On armv7 only the products are done here: its NEON takes denormal floats for zero, which is not the arithmetic.
 */
#include "model.h"

#if defined(HAS_NEON_KERNEL)
#if defined(__arm__) && !defined(__clang__)
#pragma GCC target("fpu=neon")
#endif
#include <arm_neon.h>
#include <string.h>
#if defined(__arm__)
#include <sys/auxv.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("neon"))), apply_to = function)
#endif
#endif

#if defined(__aarch64__)
#define LANES 4
#define RAISED 0
typedef float32x4_t lanes;
typedef int32x4_t whole;
static inline lanes load(const float *v) { return vld1q_f32(v); }
static inline void store(float *to, lanes v) { vst1q_f32(to, v); }
static inline lanes set(float v) { return vdupq_n_f32(v); }
static inline lanes add(lanes a, lanes b) { return vaddq_f32(a, b); }
static inline lanes sub(lanes a, lanes b) { return vsubq_f32(a, b); }
static inline lanes mul(lanes a, lanes b) { return vmulq_f32(a, b); }
static inline lanes scaled(lanes v, float k, lanes w) { return vfmaq_n_f32(w, v, k); }
static inline void store_int32(int32_t *to, whole v) { vst1q_s32(to, v); }
static inline lanes round_down(lanes v) { return vrndmq_f32(v); }
static inline lanes from_int32(const int32_t *v) { return vcvtq_f32_s32(vld1q_s32(v)); }

static inline lanes to_float(whole v) { return vcvtq_f32_s32(v); }

/* The conversion rounds down, gives the limits of int32 for what is beyond them, and 0 for NaN. */
static inline whole whole_within(lanes v, int32_t low, int32_t high) {
    return vminq_s32(vmaxq_s32(vcvtmq_s32_f32(v), vdupq_n_s32(low)), vdupq_n_s32(high));
}

static inline void store_int8(int8_t *to, whole v) {
    int16x4_t words = vmovn_s32(v);
    int8x8_t narrow = vmovn_s16(vcombine_s16(words, words));
    int32_t four = vget_lane_s32(vreinterpret_s32_s8(narrow), 0);
    memcpy(to, &four, sizeof four);
}

static inline lanes lookup(const int16_t *middle, whole at) {
    int32_t index[4];
    vst1q_s32(index, at);
    const int16_t found[4] = {middle[index[0]], middle[index[1]], middle[index[2]], middle[index[3]]};
    return vcvtq_f32_s32(vmovl_s16(vld1_s16(found)));
}

#include "gates.h"

#define BLOCKS 2
const elementwise tinyrnn_neon_lines = {quantize_frame, quantize_state, affine, rectify, gates};
#else
#define BLOCKS 1 /* half as many registers */
#endif
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

static inline void store_low(const int32_t *offset, uint32_t row, int32_t *acc, sums upper, sums lower) {
    (void)offset;
    store_folded(acc + row, upper);
    store_folded(acc + row + LOW_ROWS, lower);
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

#if defined(__aarch64__)
#include "gather_neon.h"
#else
static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    return (void)m, (void)count, (void)q, (void)gathered, false;
}
#endif

#include "product.h"

#if defined(__aarch64__)
static bool runs_here(void) { return true; }
const kernel tinyrnn_neon = {"neon", false, {13, 10, 1}, {12, 5, 1}, 128, runs_here, product, &tinyrnn_neon_lines};
#else
enum { HAS_NEON = 1 << 12 }; /* HWCAP_NEON of 32-bit ARM */
static bool runs_here(void) { return (getauxval(AT_HWCAP) & HAS_NEON) != 0; }
const kernel tinyrnn_neon = {"neon", false, {13, 10, 1}, {12, 5, 1}, 128, runs_here, product, &tinyrnn_portable_lines};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
#endif
