/* ARM with NEON: every aarch64, and armv7 processors that say so.
 *
 * On armv7 only the products are done here: its NEON takes denormal floats for zero, which is not the arithmetic.
 */
#include "model.h"

#if defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7)
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
typedef float32x4_t lanes;
static inline lanes load(const float *v) { return vld1q_f32(v); }
static inline void store(float *to, lanes v) { vst1q_f32(to, v); }
static inline lanes set(float v) { return vdupq_n_f32(v); }
static inline lanes add(lanes a, lanes b) { return vaddq_f32(a, b); }
static inline lanes sub(lanes a, lanes b) { return vsubq_f32(a, b); }
static inline lanes mul(lanes a, lanes b) { return vmulq_f32(a, b); }
static inline lanes round_down(lanes v) { return vrndmq_f32(v); }
static inline lanes from_int32(const int32_t *v) { return vcvtq_f32_s32(vld1q_s32(v)); }

static inline lanes clip(lanes v, float low, float high) {
    return vminnmq_f32(vmaxnmq_f32(v, set(low)), set(high)); /* of NaN and a number, the number */
}

static inline void store_int8(int8_t *to, lanes v) {
    int16x4_t words = vmovn_s32(vcvtq_s32_f32(v));
    int8x8_t narrow = vmovn_s16(vcombine_s16(words, words));
    int32_t four = vget_lane_s32(vreinterpret_s32_s8(narrow), 0);
    memcpy(to, &four, sizeof four);
}

static inline lanes lookup(const int16_t *middle, lanes at) {
    int32_t index[4];
    vst1q_s32(index, vcvtq_s32_f32(at));
    const int16_t found[4] = {middle[index[0]], middle[index[1]], middle[index[2]], middle[index[3]]};
    return mul(vcvtq_f32_s32(vmovl_s16(vld1_s16(found))), set(1.0f / 32768));
}

#include "gates.h"

#define BLOCKS 2
const elementwise tinyrnn_neon_lines = {quantize_frame, quantize_state, affine, rectify, gates};
#else
#define BLOCKS 1 /* half as many registers */
#endif

/* Each register sums two rows, in two halves that are folded at the end. */
typedef struct {
    int32x4_t rows[4];
} sum8;
typedef struct {
    sum8 low, high;
} sum16;
typedef int8x8_t input8, input16; /* the 4 inputs, twice */
typedef struct {
    int8x8_t low, high;
} codes;

static inline sum8 start8(const matrix *m, uint32_t row) {
    (void)m, (void)row;
    const int32x4_t zero = vdupq_n_s32(0);
    return (sum8){{zero, zero, zero, zero}};
}

static inline sum16 start16(const matrix *m, uint32_t row) { return (sum16){start8(m, row), start8(m, row)}; }

static inline int32x4_t folded(int32x4_t a, int32x4_t b) {
    int32x2_t first = vpadd_s32(vget_low_s32(a), vget_high_s32(a));
    return vcombine_s32(first, vpadd_s32(vget_low_s32(b), vget_high_s32(b)));
}

static inline void store8(int32_t *to, sum8 sum) {
    vst1q_s32(to, folded(sum.rows[0], sum.rows[1]));
    vst1q_s32(to + 4, folded(sum.rows[2], sum.rows[3]));
}

static inline void store16(int32_t *to, sum16 sum) {
    store8(to, sum.low);
    store8(to + 8, sum.high);
}

static inline input8 load8(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return vreinterpret_s8_s32(vdup_n_s32(four));
}

static inline input16 load16(const uint8_t *q) { return load8(q); }

static inline codes load_codes(const int8_t *codebook) { return (codes){vld1_s8(codebook), vld1_s8(codebook + 8)}; }

/* The values of 8 codes. */
static inline int8x8_t decoded(uint8x8_t code, codes book) {
    int8x8x2_t table = {{book.low, book.high}};
    return vtbl2_s8(table, vreinterpret_s8_u8(code));
}

/* Two rows: 128 * 127 fits an int16, and pairs are added up in int32. */
static inline int32x4_t dot(int32x4_t sum, int8x8_t w, int8x8_t x) { return vpadalq_s16(sum, vmull_s8(w, x)); }

static inline sum8 dot_rows(sum8 sum, const int8x8_t w[4], input8 x) {
    sum.rows[0] = dot(sum.rows[0], w[0], x);
    sum.rows[1] = dot(sum.rows[1], w[1], x);
    sum.rows[2] = dot(sum.rows[2], w[2], x);
    sum.rows[3] = dot(sum.rows[3], w[3], x);
    return sum;
}

/* Half a packed tile of 32 values: those of the low nibbles, or of the high ones. */
static inline int8x8_t nibbles(const uint8_t *packed, bool is_high, codes book) {
    uint8x8_t both = vld1_u8(packed);
    return decoded(is_high ? vshr_n_u8(both, 4) : vand_u8(both, vdup_n_u8(15)), book);
}

static inline sum8 dot8(sum8 sum, const uint8_t *tile, input8 x, codes book, bool is_4bit) {
    int8x8_t w[4];
    for (int i = 0; i < 4; i++) {
        w[i] = is_4bit ? nibbles(tile + 8 * (i % 2), i >= 2, book) : vld1_s8((const int8_t *)tile + 8 * i);
    }
    return dot_rows(sum, w, x);
}

static inline sum16 dot16(sum16 sum, const uint8_t *tile, input16 x, codes book, bool is_4bit) {
    int8x8_t low[4], high[4];
    for (int i = 0; i < 4; i++) {
        low[i] = is_4bit ? nibbles(tile + 8 * i, false, book) : vld1_s8((const int8_t *)tile + 8 * i);
        high[i] = is_4bit ? nibbles(tile + 8 * i, true, book) : vld1_s8((const int8_t *)tile + 32 + 8 * i);
    }
    return (sum16){dot_rows(sum.low, low, x), dot_rows(sum.high, high, x)};
}

static inline const uint8_t *prepare(const int8_t *q, uint32_t columns, uint8_t *room) {
    return (void)columns, (void)room, (const uint8_t *)q;
}

static inline bool gather_pairs(const matrix *m, const uint8_t *q, uint8_t *gathered) {
    return (void)m, (void)q, (void)gathered, false;
}

#include "product.h"

#if defined(__aarch64__)
static bool runs_here(void) { return true; }
const kernel tinyrnn_neon = {"neon", false, runs_here, product, &tinyrnn_neon_lines};
#else
enum { HAS_NEON = 1 << 12 }; /* HWCAP_NEON of 32-bit ARM */
static bool runs_here(void) { return (getauxval(AT_HWCAP) & HAS_NEON) != 0; }
const kernel tinyrnn_neon = {"neon", false, runs_here, product, &tinyrnn_portable_lines};
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
#endif
