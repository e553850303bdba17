/* x86 with the dot products of AVX-512 VNNI: Cascade Lake (2019), Zen 4 (2022) and later. */
#include "model.h"
#include "processor.h" /* before anything is compiled for a newer processor */

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"))), \
                             apply_to = function)
#else
#pragma GCC target("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#endif

#define LANES 16
#define RAISED -128
#define NARROWS
#define LOOKS_FAR
typedef __m512 lanes;
typedef __m512i whole;
static inline lanes load(const float *v) { return _mm512_loadu_ps(v); }
static inline void store(float *to, lanes v) { _mm512_storeu_ps(to, v); }
static inline lanes set(float v) { return _mm512_set1_ps(v); }
static inline lanes add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
static inline lanes sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
static inline lanes mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }

static inline lanes round_down(lanes v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

static inline lanes to_float(whole v) { return _mm512_cvtepi32_ps(v); }

static inline lanes scaled(lanes v, float k, lanes w) { return _mm512_fmadd_ps(v, set(k), w); }

/* Limits that lie evenly around zero, or around -0.5, are one operation: the smaller of two sizes, with v's sign. The
 * conversion gives the lowest int32 for what is beyond the limits of int32, and for NaN. */
static inline whole whole_within(lanes v, int32_t low, int32_t high) {
    const bool is_even = low == -high || low == -high - 1;
    const float size = low == -high ? (float)high : (float)high + 0.5f;
    lanes kept = is_even ? _mm512_range_ps(v, set(size), 2) : _mm512_min_ps(v, set((float)high));
    whole rounded = _mm512_cvt_roundps_epi32(kept, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return is_even ? rounded : _mm512_max_epi32(rounded, _mm512_set1_epi32(low));
}

static inline lanes from_int32(const int32_t *v) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(v)); }

/* The processor multiplies unsigned by signed: the int8 inputs are kept raised by 128, and a row's sum starts with what
 * that adds, taken off. */
static inline void store_int8(int8_t *to, whole v) {
    _mm_storeu_si128((__m128i *)to, _mm_xor_si128(_mm512_cvtepi32_epi8(v), _mm_set1_epi8(-128)));
}

/* Half a step up and 8 bits less; the conversion makes 127 of 128. */
static inline void store_state(int8_t *to, whole v) {
    whole rounded = _mm512_srai_epi32(_mm512_add_epi32(v, _mm512_set1_epi32(128)), 8);
    __m128i narrow = _mm512_cvtsepi32_epi8(_mm512_max_epi32(rounded, _mm512_set1_epi32(-127)));
    _mm_storeu_si128((__m128i *)to, _mm_xor_si128(narrow, _mm_set1_epi8(-128)));
}

/* Loads 4 bytes an entry, of which the upper 2 are the entry. It goes into zeros under a mask that is always full,
 * which the compiler cannot know: otherwise each gather waits for what its register held before. */
static inline lanes lookup(const int16_t *middle, whole at) {
    __mmask16 all = 0xffff;
    __asm__("" : "+k"(all));
    __m512i found = _mm512_mask_i32gather_epi32(_mm512_setzero_si512(), all, at, middle - 1, 2);
    return to_float(_mm512_srai_epi32(found, 16));
}

#include "gates.h"
#include "gather.h"

#define BLOCKS 4
#define CHAINS 2
#define ROOMY
typedef __m512i sums, inputs, codes;

static inline sums no_sums(void) { return _mm512_setzero_si512(); }
static inline sums start(const int32_t *offset, uint32_t row) { return _mm512_loadu_si512(offset + row); }
static inline sums add_sums(sums a, sums b) { return _mm512_add_epi32(a, b); }
static inline void store_high(int32_t *to, sums sum) { _mm512_storeu_si512(to, sum); }

#define FOLDS_PAIRS
/* Even lanes and odd lanes, of one block and of the other. */
static inline void store_low(const int32_t *offset, int32_t *acc, uint32_t upper_row, uint32_t lower_row, sums upper,
                             sums lower) {
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512i folded = _mm512_add_epi32(_mm512_permutex2var_epi32(upper, even, lower),
                                            _mm512_permutex2var_epi32(upper, odd, lower));
    const __m256i upper_offset = _mm256_loadu_si256((const __m256i *)(offset + upper_row));
    const __m256i lower_offset = _mm256_loadu_si256((const __m256i *)(offset + lower_row));
    const __m256i upper_sum = _mm256_add_epi32(_mm512_castsi512_si256(folded), upper_offset);
    const __m256i lower_sum = _mm256_add_epi32(_mm512_extracti64x4_epi64(folded, 1), lower_offset);
    _mm256_storeu_si256((__m256i *)(acc + upper_row), upper_sum);
    _mm256_storeu_si256((__m256i *)(acc + lower_row), lower_sum);
}

static inline inputs load_4(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, sizeof four);
    return _mm512_set1_epi32(four);
}

static inline inputs load_8(const uint8_t *q) {
    return _mm512_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)q));
}

static inline codes load_codes(const int8_t *codebook) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)codebook));
}

static inline sums dot(sums sum, const uint8_t *tile, inputs x, codes book, bool is_4bit) {
    if (is_4bit) {
        __m256i packed = _mm256_loadu_si256((const __m256i *)tile);
        __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(packed), _mm256_srli_epi16(packed, 4), 1);
        __m512i code = _mm512_and_si512(both, _mm512_set1_epi8(15));
        return _mm512_dpbusd_epi32(sum, x, _mm512_shuffle_epi8(book, code));
    }
    return _mm512_dpbusd_epi32(sum, x, _mm512_loadu_si512(tile));
}

/* Many inputs at once, out of up to 4 registers: several times faster than one by one, and the fewer registers the
 * faster. What lies behind the inputs and behind the indices is read with them, and not used. */
typedef struct {
    __m512i of[4];
} table;

static inline table table_of(const uint8_t *q, uint32_t registers) {
    table all;
    for (uint32_t i = 0; i < 4; i++) {
        all.of[i] = i < registers ? _mm512_loadu_si512(q + 64 * i) : _mm512_setzero_si512();
    }
    return all;
}

/* Entries of so many bits each; `high` is the bit of an index that lies in the upper two registers. */
#define LOOKUPS(name, bits, high)                                                                                     \
    static inline __attribute__((always_inline)) __m512i name(table t, __m512i at, uint32_t registers) {              \
        if (registers == 1) {                                                                                         \
            return _mm512_permutexvar_epi##bits(at, t.of[0]);                                                         \
        }                                                                                                             \
        const __m512i lower = _mm512_permutex2var_epi##bits(t.of[0], at, t.of[1]);                                    \
        if (registers == 2) {                                                                                         \
            return lower;                                                                                             \
        }                                                                                                             \
        return _mm512_mask_mov_epi##bits(lower, _mm512_test_epi##bits##_mask(at, _mm512_set1_epi##bits(high)),        \
                                         _mm512_permutex2var_epi##bits(t.of[2], at, t.of[3]));                        \
    }
#define VBMI __attribute__((target("avx512vbmi"))) /* and the compiler asks where it is used */
VBMI LOOKUPS(bytes_at, 8, -128)
LOOKUPS(pairs_at, 16, 64)
LOOKUPS(fours_at, 32, 32)

VBMI ALWAYS_INLINE void gather_bytes(const uint8_t *indices, size_t count, const uint8_t *q,
                                     uint8_t *restrict gathered, uint32_t registers) {
    const table t = table_of(q, registers);
    for (size_t i = 0; i < count; i += 64) {
        _mm512_storeu_si512(gathered + i, bytes_at(t, _mm512_loadu_si512(indices + i), registers));
    }
}

ALWAYS_INLINE void gather_pairs(const uint8_t *indices, size_t count, const uint8_t *q, uint8_t *restrict gathered,
                                uint32_t registers) {
    const table t = table_of(q, registers);
    for (size_t i = 0; i < count; i += 32) {
        const __m512i at = _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(indices + i)));
        _mm512_storeu_si512(gathered + 2 * i, pairs_at(t, at, registers));
    }
}

ALWAYS_INLINE void gather_fours(const uint8_t *indices, size_t count, const uint8_t *q, uint8_t *restrict gathered,
                                uint32_t registers) {
    const table t = table_of(q, registers);
    for (size_t i = 0; i < count; i += 16) {
        const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(indices + i)));
        _mm512_storeu_si512(gathered + 4 * i, fours_at(t, at, registers));
    }
}

/* A loop for each number of registers. */
#define GATHER_OUT_OF(lookups)                                                                                        \
    m->columns <= 64    ? lookups(m->indices, count, q, gathered, 1)                                                  \
    : m->columns <= 128 ? lookups(m->indices, count, q, gathered, 2)                                                  \
                        : lookups(m->indices, count, q, gathered, 4)

VBMI static void gather_single(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    GATHER_OUT_OF(gather_bytes);
}

static inline bool gather_fast(const matrix *m, size_t count, const uint8_t *q, uint8_t *gathered) {
    if (m->columns > 256 || (m->block_columns == 1 && !processor.has_vbmi)) {
        return false;
    }
    if (m->block_columns == 1) {
        gather_single(m, count, q, gathered);
    } else if (m->block_columns == 2) {
        GATHER_OUT_OF(gather_pairs);
    } else {
        GATHER_OUT_OF(gather_fours);
    }
    return true;
}

#include "product.h"

static bool runs_here(void) { return processor.has_avx512; }

static const elementwise lines_here = {quantize_frame, quantize_state, affine, rectify, requantize, gates, sru};

const kernel tinyrnn_avx512 = {"avx512", true, {16, 20, 20}, {12, 20, 20}, 256,
                               runs_here, product, product_back, &lines_here, products, false};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
