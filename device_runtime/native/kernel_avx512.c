/* x86 with the dot products of AVX-512 VNNI: Cascade Lake (2019), Zen 4 (2022) and later. */
#include "model.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avx512f,avx512bw,avx512vl,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx2,avx512f,avx512bw,avx512vl,avx512vnni")
#endif

#define LANES 16
typedef __m512 lanes;
static inline lanes load(const float *v) { return _mm512_loadu_ps(v); }
static inline void store(float *to, lanes v) { _mm512_storeu_ps(to, v); }
static inline lanes set(float v) { return _mm512_set1_ps(v); }
static inline lanes add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
static inline lanes sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
static inline lanes mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }

static inline lanes round_down(lanes v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

static inline lanes clip(lanes v, float low, float high) {
    return _mm512_min_ps(_mm512_max_ps(v, set(low)), set(high)); /* of NaN and a number, max gives the second */
}

static inline lanes from_int32(const int32_t *v) { return _mm512_cvtepi32_ps(_mm512_loadu_si512(v)); }

static inline void store_int8(int8_t *to, lanes v) {
    _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(v)));
}

/* Loads 4 bytes an entry, of which the lower 2 are the entry. */
static inline lanes lookup(const int16_t *middle, lanes at) {
    __m512i found = _mm512_i32gather_epi32(_mm512_cvttps_epi32(at), middle, 2);
    return mul(_mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(found, 16), 16)), set(1.0f / 32768));
}

#include "gates.h"

#define BLOCKS 4
typedef __m512i sum16, input16;
typedef __m256i sum8, input8;
typedef __m512i codes;

/* The processor multiplies unsigned by signed: the inputs are raised by 128, and a row's sum starts with what that
 * adds, taken off. */
static inline const uint8_t *prepare(const int8_t *q, uint32_t columns, uint8_t *room) {
    for (uint32_t i = 0; i < columns; i += 64) {
        _mm512_storeu_si512(room + i, _mm512_xor_si512(_mm512_loadu_si512(q + i), _mm512_set1_epi8(-128)));
    }
    return room;
}

static inline sum16 start16(const matrix *m, uint32_t row) { return _mm512_loadu_si512(m->row_offset + row); }

static inline sum8 start8(const matrix *m, uint32_t row) {
    return _mm256_loadu_si256((const __m256i *)(m->row_offset + row));
}

static inline void store16(int32_t *to, sum16 sum) { _mm512_storeu_si512(to, sum); }
static inline void store8(int32_t *to, sum8 sum) { _mm256_storeu_si256((__m256i *)to, sum); }

static inline input8 load8(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, 4);
    return _mm256_set1_epi32(four);
}

static inline input16 load16(const uint8_t *q) {
    int32_t four;
    memcpy(&four, q, 4);
    return _mm512_set1_epi32(four);
}

static inline codes load_codes(const int8_t *codebook) {
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)codebook));
}

static inline sum8 dot8(sum8 sum, const uint8_t *tile, input8 x, codes book, bool is_4bit) {
    if (is_4bit) { /* low nibbles: rows 0 to 3, high ones: 4 to 7 */
        __m128i packed = _mm_loadu_si128((const __m128i *)tile);
        __m256i both = _mm256_inserti128_si256(_mm256_castsi128_si256(packed), _mm_srli_epi16(packed, 4), 1);
        __m256i code = _mm256_and_si256(both, _mm256_set1_epi8(15));
        return _mm256_dpbusd_epi32(sum, x, _mm256_shuffle_epi8(_mm512_castsi512_si256(book), code));
    }
    return _mm256_dpbusd_epi32(sum, x, _mm256_loadu_si256((const __m256i *)tile));
}

static inline sum16 dot16(sum16 sum, const uint8_t *tile, input16 x, codes book, bool is_4bit) {
    if (is_4bit) { /* low nibbles: rows 0 to 7, high ones: 8 to 15 */
        __m256i packed = _mm256_loadu_si256((const __m256i *)tile);
        __m512i both = _mm512_inserti64x4(_mm512_castsi256_si512(packed), _mm256_srli_epi16(packed, 4), 1);
        __m512i code = _mm512_and_si512(both, _mm512_set1_epi8(15));
        return _mm512_dpbusd_epi32(sum, x, _mm512_shuffle_epi8(book, code));
    }
    return _mm512_dpbusd_epi32(sum, x, _mm512_loadu_si512(tile));
}

/* 32 pairs of inputs at once, out of tables of 64: several times faster than pair by pair. */
static inline bool gather_pairs(const matrix *m, const uint8_t *q, uint8_t *gathered) {
    if (m->index_bytes != 1 || m->columns > 256) {
        return false;
    }
    const size_t count = (size_t)m->tile_count * 2;
    const __m512i first = _mm512_loadu_si512(q), second = _mm512_loadu_si512(q + 64);
    const bool is_wide = m->columns > 128;
    const __m512i third = is_wide ? _mm512_loadu_si512(q + 128) : first;
    const __m512i fourth = is_wide ? _mm512_loadu_si512(q + 192) : first;
    for (size_t i = 0; i < count; i += 32) {
        const size_t left = count - i;
        const __mmask32 valid = left < 32 ? ((__mmask32)1 << left) - 1 : (__mmask32)-1;
        const __m512i at = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(valid, m->indices + i));
        __m512i pairs = _mm512_permutex2var_epi16(first, at, second);
        if (is_wide) {
            const __mmask32 is_high = _mm512_test_epi16_mask(at, _mm512_set1_epi16(64));
            pairs = _mm512_mask_mov_epi16(pairs, is_high, _mm512_permutex2var_epi16(third, at, fourth));
        }
        _mm512_storeu_si512(gathered + 2 * i, pairs);
    }
    return true;
}

#include "product.h"

static bool runs_here(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vnni");
}

static const elementwise lines_here = {quantize_frame, quantize_state, affine, rectify, gates};

const kernel tinyrnn_avx512 = {"avx512", true, runs_here, product, &lines_here};

#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
