/* x86 from Haswell (2013) on. */
#include "model.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#define LANES 8
typedef __m256 lanes;
static inline lanes load(const float *v) { return _mm256_loadu_ps(v); }
static inline void store(float *to, lanes v) { _mm256_storeu_ps(to, v); }
static inline lanes set(float v) { return _mm256_set1_ps(v); }
static inline lanes add(lanes a, lanes b) { return _mm256_add_ps(a, b); }
static inline lanes sub(lanes a, lanes b) { return _mm256_sub_ps(a, b); }
static inline lanes mul(lanes a, lanes b) { return _mm256_mul_ps(a, b); }
static inline lanes round_down(lanes v) { return _mm256_floor_ps(v); }

static inline lanes clip(lanes v, float low, float high) {
    return _mm256_min_ps(_mm256_max_ps(v, set(low)), set(high)); /* of NaN and a number, max gives the second */
}

static inline lanes from_int32(const int32_t *v) {
    return _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)v));
}

static inline void store_int8(int8_t *to, lanes v) {
    __m256i wide = _mm256_cvttps_epi32(v);
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    _mm_storel_epi64((__m128i *)to, _mm_packs_epi16(words, words));
}

/* Loads 4 bytes an entry, of which the lower 2 are the entry. */
static inline lanes lookup(const int16_t *middle, lanes at) {
    __m256i found = _mm256_i32gather_epi32((const int *)(const void *)middle, _mm256_cvttps_epi32(at), 2);
    __m256i entry = _mm256_srai_epi32(_mm256_slli_epi32(found, 16), 16);
    return mul(_mm256_cvtepi32_ps(entry), set(1.0f / 32768));
}

#include "gates.h"

#define BLOCKS 4
typedef struct {
    __m256i low, high;
} sum16;
typedef __m256i sum8, input16, input8, codes;

static inline sum8 start8(const matrix *m, uint32_t row) { return (void)m, (void)row, _mm256_setzero_si256(); }
static inline sum16 start16(const matrix *m, uint32_t row) { return (sum16){start8(m, row), start8(m, row)}; }
static inline void store8(int32_t *to, sum8 sum) { _mm256_storeu_si256((__m256i *)to, sum); }

static inline void store16(int32_t *to, sum16 sum) {
    store8(to, sum.low);
    store8(to + 8, sum.high);
}

static inline input8 load8(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, 4);
    return _mm256_set1_epi32(four);
}

static inline input16 load16(const uint8_t *q) { return load8(q); }

static inline codes load_codes(const int8_t *codebook) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)codebook));
}

/* Of 16 bytes: the values of the low nibbles, then those of the high ones. */
static inline __m256i decoded(const uint8_t *tile, codes book) {
    __m128i packed = _mm_loadu_si128((const __m128i *)tile);
    __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(packed), _mm_srli_epi16(packed, 4), 1);
    return _mm256_shuffle_epi8(book, _mm256_and_si256(both, _mm256_set1_epi8(15)));
}

/* |w| <= 128 is unsigned and |q| <= 127, so that two products fit an int16: 2 * 128 * 127 < 2^15. The sign of w moves
 * over to q; the other way round -128 would not survive. */
static inline sum8 dot(sum8 sum, __m256i w, input8 x) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

static inline sum8 dot8(sum8 sum, const uint8_t *tile, input8 x, codes book, bool is_4bit) {
    return dot(sum, is_4bit ? decoded(tile, book) : _mm256_loadu_si256((const __m256i *)tile), x);
}

static inline sum16 dot16(sum16 sum, const uint8_t *tile, input16 x, codes book, bool is_4bit) {
    if (is_4bit) { /* low nibbles: rows 0 to 7, high ones: 8 to 15 */
        __m256i packed = _mm256_loadu_si256((const __m256i *)tile), nibble = _mm256_set1_epi8(15);
        __m256i high = _mm256_and_si256(_mm256_srli_epi16(packed, 4), nibble);
        sum.low = dot(sum.low, _mm256_shuffle_epi8(book, _mm256_and_si256(packed, nibble)), x);
        sum.high = dot(sum.high, _mm256_shuffle_epi8(book, high), x);
        return sum;
    }
    sum.low = dot(sum.low, _mm256_loadu_si256((const __m256i *)tile), x);
    sum.high = dot(sum.high, _mm256_loadu_si256((const __m256i *)(tile + 32)), x);
    return sum;
}

static inline const uint8_t *prepare(const int8_t *q, uint32_t columns, uint8_t *room) {
    return (void)columns, (void)room, (const uint8_t *)q;
}

static inline bool gather_pairs(const matrix *m, const uint8_t *q, uint8_t *gathered) {
    return (void)m, (void)q, (void)gathered, false;
}

#include "product.h"

static bool runs_here(void) { return __builtin_cpu_supports("avx2"); }

static const elementwise lines_here = {quantize_frame, quantize_state, affine, rectify, gates};

const kernel tinyrnn_avx2 = {"avx2", false, runs_here, product, &lines_here};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
