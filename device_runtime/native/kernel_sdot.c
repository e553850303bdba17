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
typedef struct {
    int32x4_t low, high;
} sum8;
typedef struct {
    sum8 low, high;
} sum16;
typedef int8x16_t input8, input16; /* the 4 inputs, four times */
typedef int8x16_t codes;

static inline sum8 start8(const matrix *m, uint32_t row) {
    return (void)m, (void)row, (sum8){vdupq_n_s32(0), vdupq_n_s32(0)};
}

static inline sum16 start16(const matrix *m, uint32_t row) { return (sum16){start8(m, row), start8(m, row)}; }

static inline void store8(int32_t *to, sum8 sum) {
    vst1q_s32(to, sum.low);
    vst1q_s32(to + 4, sum.high);
}

static inline void store16(int32_t *to, sum16 sum) {
    store8(to, sum.low);
    store8(to + 8, sum.high);
}

static inline input8 load8(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return vreinterpretq_s8_s32(vdupq_n_s32(four));
}

static inline input16 load16(const uint8_t *q) { return load8(q); }
static inline codes load_codes(const int8_t *codebook) { return vld1q_s8(codebook); }

static inline int8x16_t low_nibbles(uint8x16_t packed, codes book) {
    return vqtbl1q_s8(book, vandq_u8(packed, vdupq_n_u8(15)));
}

static inline int8x16_t high_nibbles(uint8x16_t packed, codes book) {
    return vqtbl1q_s8(book, vshrq_n_u8(packed, 4));
}

static inline sum8 dot(sum8 sum, int8x16_t low, int8x16_t high, int8x16_t x) {
    return (sum8){vdotq_s32(sum.low, low, x), vdotq_s32(sum.high, high, x)};
}

static inline sum8 dot8(sum8 sum, const uint8_t *tile, input8 x, codes book, bool is_4bit) {
    if (is_4bit) { /* low nibbles: rows 0 to 3, high ones: 4 to 7 */
        uint8x16_t packed = vld1q_u8(tile);
        return dot(sum, low_nibbles(packed, book), high_nibbles(packed, book), x);
    }
    return dot(sum, vld1q_s8((const int8_t *)tile), vld1q_s8((const int8_t *)tile + 16), x);
}

static inline sum16 dot16(sum16 sum, const uint8_t *tile, input16 x, codes book, bool is_4bit) {
    if (is_4bit) { /* low nibbles: rows 0 to 7, high ones: 8 to 15 */
        uint8x16_t first = vld1q_u8(tile), second = vld1q_u8(tile + 16);
        return (sum16){dot(sum.low, low_nibbles(first, book), low_nibbles(second, book), x),
                       dot(sum.high, high_nibbles(first, book), high_nibbles(second, book), x)};
    }
    return (sum16){dot8(sum.low, tile, x, book, false), dot8(sum.high, tile + 32, x, book, false)};
}

static inline const uint8_t *prepare(const int8_t *q, uint32_t columns, uint8_t *room) {
    return (void)columns, (void)room, (const uint8_t *)q;
}

static inline bool gather_pairs(const matrix *m, const uint8_t *q, uint8_t *gathered) {
    return (void)m, (void)q, (void)gathered, false;
}

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

const kernel tinyrnn_sdot = {"sdot", false, runs_here, product, &tinyrnn_neon_lines};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
