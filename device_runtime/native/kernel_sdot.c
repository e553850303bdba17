/* aarch64 with dot products of int8 (SDOT): Cortex-A55, A75, A76 and later, such as the Raspberry Pi 5. */
#include "model.h"

#if defined(__aarch64__)
#if !defined(__clang__)
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
#include <arm_neon.h>
#include <string.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#endif

extern const elementwise tinyrnn_neon_lines;

#define BLOCKS 4
#define CHAINS 2
typedef struct {
    int32x4_t of[4];
} sums;
typedef int8x16_t inputs, codes;

static inline sums no_sums(void) {
    const int32x4_t zero = vdupq_n_s32(0);
    return (sums){{zero, zero, zero, zero}};
}

static inline sums start(const int32_t *offset, uint32_t row) { return (void)offset, (void)row, no_sums(); }

static inline sums add_sums(sums a, sums b) {
    for (int i = 0; i < 4; i++) {
        a.of[i] = vaddq_s32(a.of[i], b.of[i]);
    }
    return a;
}

static inline void store_high(int32_t *to, sums sum) {
    for (int i = 0; i < 4; i++) {
        vst1q_s32(to + 4 * i, sum.of[i]);
    }
}

static inline void store_folded(int32_t *to, sums sum) {
    vst1q_s32(to, vpaddq_s32(sum.of[0], sum.of[1]));
    vst1q_s32(to + 4, vpaddq_s32(sum.of[2], sum.of[3]));
}

static inline inputs load_4(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

static inline inputs load_8(const uint8_t *q) {
    int8x8_t eight = vld1_s8((const int8_t *)q);
    return vcombine_s8(eight, eight);
}

static inline codes load_codes(const int8_t *codebook) { return vld1q_s8(codebook); }

static inline sums dot(sums sum, const uint8_t *tile, inputs x, codes book, bool is_4bit) {
    for (int i = 0; i < 2; i++) {
        uint8x16_t low = vld1q_u8(tile + 16 * i);
        int8x16_t first = vreinterpretq_s8_u8(low), second;
        if (is_4bit) {
            first = vqtbl1q_s8(book, vandq_u8(low, vdupq_n_u8(15)));
            second = vqtbl1q_s8(book, vshrq_n_u8(low, 4));
        } else {
            second = vld1q_s8((const int8_t *)tile + 32 + 16 * i);
        }
        sum.of[i] = vdotq_s32(sum.of[i], first, x);
        sum.of[2 + i] = vdotq_s32(sum.of[2 + i], second, x);
    }
    return sum;
}

#include "gather_neon.h"
#include "product.h"

/* The kernel of the system says what the processor has; elsewhere nobody is asked, and NEON does. */
static bool runs_here(void) {
#if defined(__linux__)
    enum { HAS_DOT_PRODUCTS = 1 << 20 }; /* HWCAP_ASIMDDP of aarch64 */
    return (getauxval(AT_HWCAP) & HAS_DOT_PRODUCTS) != 0;
#else
    return false;
#endif
}

const kernel tinyrnn_sdot = {"sdot", false, {15, 10, 2}, {13, 5, 2}, 256,
                             runs_here, product, product_back, &tinyrnn_neon_lines, products, true};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
