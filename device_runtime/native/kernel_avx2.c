/* x86 from Haswell (2013) on. */
#include "model.h"
#include "processor.h" /* before anything is compiled for a newer processor */

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define LANES 8
#define RAISED 0
typedef __m256 lanes;
typedef __m256i whole;
static inline lanes load(const float *v) { return _mm256_loadu_ps(v); }
static inline void store(float *to, lanes v) { _mm256_storeu_ps(to, v); }
static inline lanes set(float v) { return _mm256_set1_ps(v); }
static inline lanes add(lanes a, lanes b) { return _mm256_add_ps(a, b); }
static inline lanes sub(lanes a, lanes b) { return _mm256_sub_ps(a, b); }
static inline lanes mul(lanes a, lanes b) { return _mm256_mul_ps(a, b); }
static inline lanes scaled(lanes v, float k, lanes w) { return _mm256_fmadd_ps(v, set(k), w); }
static inline lanes round_down(lanes v) { return _mm256_floor_ps(v); }
static inline void store_int32(int32_t *to, whole v) { _mm256_storeu_si256((__m256i *)to, v); }

static inline lanes to_float(whole v) { return _mm256_cvtepi32_ps(v); }

static inline whole whole_within(lanes v, int32_t low, int32_t high) {
    lanes kept = _mm256_max_ps(v, set((float)low)); /* of NaN and a number it gives the second */
    return _mm256_cvttps_epi32(round_down(_mm256_min_ps(kept, set((float)high))));
}

static inline lanes from_int32(const int32_t *v) {
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)v));
}

static inline void store_int8(int8_t *to, whole v) {
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packs_epi16(words, words));
}

/* Loads 4 bytes an entry, of which the upper 2 are the entry. It goes into zeros under a mask that is always full,
 * which the compiler cannot know: otherwise each gather waits for what its register held before. */
static inline lanes lookup(const int16_t *middle, whole at) {
    const int *before = (const int *)(const void *)(middle - 1);
    __m256i all = _mm256_set1_epi32(-1);
    __asm__("" : "+x"(all));
    __m256i found = _mm256_mask_i32gather_epi32(_mm256_setzero_si256(), before, at, all, 2);
    return to_float(_mm256_srai_epi32(found, 16));
}

#include "gates.h"

#define BLOCKS 4
#define CHAINS 1
typedef struct {
    __m256i low, high; /* of the first half of a tile, of the second */
} sums;
typedef __m256i inputs, codes;

static inline sums no_sums(void) { return (sums){_mm256_setzero_si256(), _mm256_setzero_si256()}; }
static inline sums start(const int32_t *offset, uint32_t row) { return (void)offset, (void)row, no_sums(); }

static inline sums add_sums(sums a, sums b) {
    return (sums){_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
}

static inline void store_high(int32_t *to, sums sum) {
    _mm256_storeu_si256((__m256i *)to, sum.low);
    _mm256_storeu_si256((__m256i *)(to + 8), sum.high);
}

static inline void store_folded(int32_t *to, sums sum) {
    __m256i folded = _mm256_hadd_epi32(sum.low, sum.high); /* rows 0 1 4 5 2 3 6 7 */
    _mm256_storeu_si256((__m256i *)(to), _mm256_permute4x64_epi64(folded, 0xd8));
}

static inline inputs load_4(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm256_set1_epi32(four);
}

static inline inputs load_8(const uint8_t *q) {
    return _mm256_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)q));
}

static inline codes load_codes(const int8_t *codebook) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)codebook));
}

/* |w| <= 128 is unsigned and |q| <= 127, so that two products fit an int16: 2 * 128 * 127 < 2^15. The sign of w moves
 * over to q; the other way round -128 would not survive. */
static inline __m256i dot_half(__m256i sum, __m256i w, inputs x) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline sums dot(sums sum, const uint8_t *tile, inputs x, codes book, bool is_4bit) {
    __m256i low = _mm256_loadu_si256((const __m256i *)tile), high;
    if (is_4bit) {
        const __m256i nibble = _mm256_set1_epi8(15);
        high = _mm256_shuffle_epi8(book, _mm256_and_si256(_mm256_srli_epi16(low, 4), nibble));
        low = _mm256_shuffle_epi8(book, _mm256_and_si256(low, nibble));
    } else {
        high = _mm256_loadu_si256((const __m256i *)(tile + 32));
    }
    return (sums){dot_half(sum.low, low, x), dot_half(sum.high, high, x)};
}

/* 32 inputs at once, out of tables of 16: an index turned by 16 * k is below 16 only in table k, and what is 16 or more
 * makes the shuffle give 0. What lies behind the inputs and the indices is read with them, and not used. */
static inline __attribute__((always_inline)) void gather_bytes(const matrix *m, size_t count, const uint8_t *q,
                                                               uint8_t *gathered, int tables) {
    __m256i table[8];
    for (int k = 0; k < tables; k++) {
        table[k] = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(q + 16 * k)));
    }
    for (size_t i = 0; i < count; i += 32) {
        const __m256i index = _mm256_loadu_si256((const __m256i *)(m->indices + i));
        __m256i found = _mm256_setzero_si256();
        for (int k = 0; k < tables; k++) {
            const __m256i turned = _mm256_xor_si256(index, _mm256_set1_epi8((char)(16 * k)));
            const __m256i place = _mm256_adds_epu8(turned, _mm256_set1_epi8(0x70));
            found = _mm256_or_si256(found, _mm256_shuffle_epi8(table[k], place));
        }
        _mm256_storeu_si256((__m256i *)(gathered + i), found);
    }
}

static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    if (m->block_columns > 1 || m->columns > 128) {
        return false;
    }
    if (m->columns <= 64) {
        gather_bytes(m, count, q, gathered, 4);
    } else {
        gather_bytes(m, count, q, gathered, 8);
    }
    return true;
}

#include "product.h"

static bool runs_here(void) { return processor.has_avx2; }

static const elementwise lines_here = {quantize_frame, quantize_state, affine, rectify, requantize, gates, sru};

const kernel tinyrnn_avx2 = {"avx2", false, {17, 10, 2}, {14, 5, 2}, 128,
                             runs_here, product, product_back, &lines_here, products, false};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
