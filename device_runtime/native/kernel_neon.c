/* 64-bit ARM: NEON, which every aarch64 has. */
#include "model.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <string.h>

#define LANES 16
#define RAISED 0
#define NARROWS
typedef float32x4x4_t lanes;
typedef int16x8x2_t whole; /* every limit fits */
static inline lanes load(const float *v) { return vld1q_f32_x4(v); }

static inline lanes set(float v) { return (lanes){{vdupq_n_f32(v), vdupq_n_f32(v), vdupq_n_f32(v), vdupq_n_f32(v)}}; }

static inline void store(float *to, lanes v) { vst1q_f32_x4(to, v); }

#define EACH(name, operation)                                                                                  \
    static inline lanes name(lanes a, lanes b) {                                                               \
        for (int i = 0; i < 4; i++) {                                                                          \
            a.val[i] = operation(a.val[i], b.val[i]);                                                          \
        }                                                                                                      \
        return a;                                                                                              \
    }
EACH(add, vaddq_f32)
EACH(sub, vsubq_f32)
EACH(mul, vmulq_f32)

static inline lanes scaled(lanes v, float k, lanes w) {
    for (int i = 0; i < 4; i++) {
        w.val[i] = vfmaq_n_f32(w.val[i], v.val[i], k);
    }
    return w;
}

static inline lanes round_down(lanes v) {
    return (lanes){{vrndmq_f32(v.val[0]), vrndmq_f32(v.val[1]), vrndmq_f32(v.val[2]), vrndmq_f32(v.val[3])}};
}

static inline lanes from_int32(const int32_t *v) {
    const int32x4x4_t four = vld1q_s32_x4(v);
    return (lanes){{vcvtq_f32_s32(four.val[0]), vcvtq_f32_s32(four.val[1]), vcvtq_f32_s32(four.val[2]),
                    vcvtq_f32_s32(four.val[3])}};
}

static inline lanes to_float(whole v) {
    lanes wide;
    for (int i = 0; i < 2; i++) {
        wide.val[2 * i] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(v.val[i])));
        wide.val[2 * i + 1] = vcvtq_f32_s32(vmovl_high_s16(v.val[i]));
    }
    return wide;
}

/* The conversion rounds down, gives the limits of int32 for what is beyond them, and 0 for NaN; the next one does so to
 * int16. */
static inline whole whole_within(lanes v, int32_t low, int32_t high) {
    whole narrow;
    for (int i = 0; i < 2; i++) {
        int16x4_t first = vqmovn_s32(vcvtmq_s32_f32(v.val[2 * i]));
        int16x8_t both = vqmovn_high_s32(first, vcvtmq_s32_f32(v.val[2 * i + 1]));
        narrow.val[i] = vminq_s16(vmaxq_s16(both, vdupq_n_s16((int16_t)low)), vdupq_n_s16((int16_t)high));
    }
    return narrow;
}

static inline void store_int8(int8_t *to, whole v) {
    vst1q_s8(to, vmovn_high_s16(vmovn_s16(v.val[0]), v.val[1]));
}

/* Half a step up, 8 bits less, and from 128 down to 127, in one operation. */
static inline void store_state(int8_t *to, whole v) {
    int8x16_t narrow = vqrshrn_high_n_s16(vqrshrn_n_s16(v.val[0], 8), v.val[1], 8);
    vst1q_s8(to, vmaxq_s8(narrow, vdupq_n_s8(-127)));
}

static inline lanes lookup(const int16_t *middle, whole at) {
    lanes found;
    for (int i = 0; i < 2; i++) {
        int16x8_t q15 = vdupq_n_s16(middle[vgetq_lane_s16(at.val[i], 0)]);
#define LOOK_UP(lane) q15 = vld1q_lane_s16(middle + vgetq_lane_s16(at.val[i], lane), q15, lane)
        LOOK_UP(1), LOOK_UP(2), LOOK_UP(3), LOOK_UP(4), LOOK_UP(5), LOOK_UP(6), LOOK_UP(7);
#undef LOOK_UP
        found.val[2 * i] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(q15)));
        found.val[2 * i + 1] = vcvtq_f32_s32(vmovl_high_s16(q15));
    }
    return found;
}

#include "gates.h"

const elementwise tinyrnn_neon_lines = {quantize_frame, quantize_state, affine, rectify, requantize, gates, sru};

#define CHAINS 1
#define PAIRS /* of tiles: two products of -128..127 and -127..127 fit an int16 */

/* Each register sums 8 products of a tile: of two rows if it is dense, of one if it is sparse. */
typedef struct {
    int32x4_t of[8];
} sums;
typedef int8x16_t inputs, codes;
typedef int8x16x4_t values; /* of a tile */

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

static inline int32x4_t folded(int32x4_t a, int32x4_t b) { return vpaddq_s32(a, b); }

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

/* Clang, told that both halves are equal, would take each register of weights apart to multiply it by one of them. */
static inline inputs as_one(inputs x) {
    __asm__("" : "+w"(x));
    return x;
}

static inline inputs load_4(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return as_one(vreinterpretq_s8_s32(vdupq_n_s32(four)));
}

static inline inputs load_8(const uint8_t *q) {
    int64_t eight;
    memcpy(&eight, q, sizeof eight);
    return as_one(vreinterpretq_s8_s64(vdupq_n_s64(eight)));
}

static inline codes load_codes(const int8_t *codebook) { return vld1q_s8(codebook); }
static inline int8x16_t decoded(uint8x16_t code, codes book) { return vqtbl1q_s8(book, code); }

/* Those of the next tile. Were the compiler told how far tiles lie apart, it would add up an address for each of them,
 * where a load goes on by itself. */
static inline values next_values(const uint8_t **tiles, codes book, bool is_4bit) {
    const uint8_t *at = *tiles;
    *tiles = at + (is_4bit ? TILE / 2 : TILE);
    __asm__("" : "+r"(*tiles));
    if (!is_4bit) {
        return vld1q_s8_x4((const int8_t *)at);
    }
    const uint8x16_t first = vld1q_u8(at), second = vld1q_u8(at + 16), low = vdupq_n_u8(15);
    return (values){{decoded(vandq_u8(first, low), book), decoded(vandq_u8(second, low), book),
                     decoded(vshrq_n_u8(first, 4), book), decoded(vshrq_n_u8(second, 4), book)}};
}

static inline int16x8_t low_products(int8x16_t w, inputs x) { return vmull_s8(vget_low_s8(w), vget_low_s8(x)); }

static inline int16x8_t add_low_products(int16x8_t sum, int8x16_t w, inputs x) {
    return vmlal_s8(sum, vget_low_s8(w), vget_low_s8(x));
}

static inline int16x8_t high_products(int8x16_t w, inputs x) { return vmull_high_s8(w, x); }
static inline int16x8_t add_high_products(int16x8_t sum, int8x16_t w, inputs x) { return vmlal_high_s8(sum, w, x); }

/* Neighbouring products are added up in int32. */
static inline sums dot(sums sum, const uint8_t **tiles, inputs x, codes book, bool is_4bit) {
    const values w = next_values(tiles, book, is_4bit);
    for (int i = 0; i < 4; i++) {
        sum.of[2 * i] = vpadalq_s16(sum.of[2 * i], low_products(w.val[i], x));
        sum.of[2 * i + 1] = vpadalq_s16(sum.of[2 * i + 1], high_products(w.val[i], x));
    }
    return sum;
}

/* Added up in this order: Clang would begin with the pair behind, and has too few registers for the products of two. */
static inline sums settled(sums sum) {
    int32x4_t *of = sum.of;
    __asm__("" /* one for all: of two, the second could wait */
            : "+w"(of[0]), "+w"(of[1]), "+w"(of[2]), "+w"(of[3]), "+w"(of[4]), "+w"(of[5]), "+w"(of[6]), "+w"(of[7]));
    return sum;
}

/* Of a tile and the one behind it. A multiplication takes the low or the high halves of both its registers, so that
 * low tiles need their inputs as they lie and the other way round, not each of them twice. */
static inline sums dot_pair(sums sum, const uint8_t **tiles, const uint8_t *q, bool is_low, codes book, bool is_4bit) {
    const values w = next_values(tiles, book, is_4bit), v = next_values(tiles, book, is_4bit);
    inputs low_w, high_w, low_v, high_v;
    if (is_low) {
        const int8x16_t both = vld1q_s8((const int8_t *)q);
        low_w = high_v = both, high_w = low_v = as_one(vextq_s8(both, both, 8));
    } else {
        const int32x2_t fours = vreinterpret_s32_s8(vld1_s8((const int8_t *)q));
        low_w = high_w = as_one(vreinterpretq_s8_s32(vdupq_lane_s32(fours, 0)));
        low_v = high_v = as_one(vreinterpretq_s8_s32(vdupq_lane_s32(fours, 1)));
    }
    for (int i = 0; i < 4; i++) {
        int16x8_t low = add_low_products(low_products(w.val[i], low_w), v.val[i], low_v);
        int16x8_t high = add_high_products(high_products(w.val[i], high_w), v.val[i], high_v);
        sum.of[2 * i] = vpadalq_s16(sum.of[2 * i], low);
        sum.of[2 * i + 1] = vpadalq_s16(sum.of[2 * i + 1], high);
    }
    return settled(sum);
}

#include "gather_neon.h"
#include "product.h"

static bool runs_here(void) { return true; }

const kernel tinyrnn_neon = {"neon", false, {13, 10, 1}, {12, 5, 1}, 256,
                             runs_here, product, product, &tinyrnn_neon_lines, products, true};
#endif
