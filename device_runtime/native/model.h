/* The model as the engine holds it: a checked view of the file, and what a kernel does with it. */
#ifndef TINYRNN_MODEL_H
#define TINYRNN_MODEL_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tinyrnn.h"

#if !defined(__GNUC__)
#error "the kernels are written in the dialect of GCC and Clang"
#endif
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "model.native is read where it lies, which needs a little-endian processor"
#endif
#if FLT_EVAL_METHOD != 0 || defined(__FAST_MATH__)
#error "every operation must round to float32: build without x87 arithmetic and without -ffast-math"
#endif

/* On 32-bit ARM the system says whether there is NEON; without a system there is plain C. */
#if defined(__aarch64__) || (defined(__arm__) && __ARM_ARCH >= 7 && defined(__linux__))
#define HAS_NEON_KERNEL
#endif

enum {
    MAX_LAYERS = 32,
    MAX_MATRICES = 2 * MAX_LAYERS + 2,
    MAX_COLUMNS = 1024,   /* 128 * 127 * (1024 + 7) < 2^24: a float32 holds every sum of a row exactly */
    MAX_VALUES = 1 << 16, /* in a frame, or in the windows or outputs of a layer */
    TILE = 64,            /* values in a tile */
    HIGH_ROWS = 16, HIGH_COLUMNS = 4, /* of a tile in a dense matrix, and in a sparse one */
    LOW_ROWS = 8, LOW_COLUMNS = 8,    /* of a tile in other sparse ones */
    SLACK = 64, /* bytes that a kernel may read or write past the end of a vector: its last lanes */
    SLACK_ROWS = 16,
    FILE_SLACK = 64, /* bytes of the file that may be read past the end of indices */
    ALIGNMENT = 64,
};

/* Of a sparse matrix: a block of rows' tiles, and where its first input and its first row lie. */
typedef struct {
    const uint8_t *tiles;
    uint32_t input, row;
} place;

/* Blocks with so many tiles each, see plan.c; behind an odd number of them the last one comes once more. */
typedef struct {
    uint32_t tiles, blocks;
    const place *places;
} run;

/* Rows of int8 weights with one scale and bias each, in the tiles of file.c. */
typedef struct matrix matrix;
struct matrix {
    uint32_t rows, columns;
    bool is_sparse, is_four_bit;
    uint32_t tile_rows, tile_columns;
    uint32_t row_blocks;      /* of tile_rows */
    uint32_t tiles_per_block; /* sparse: at most so many */
    uint32_t tile_count;
    uint32_t block_columns;   /* sparse: columns that one index stands for; 1, 2 or 4 */
    uint32_t index_bytes;     /* sparse: 1 or 2 */
    const uint8_t *tiles;
    const uint16_t *tile_counts; /* sparse: (row_blocks,) */
    const run *runs;             /* sparse: all blocks; one without blocks ends them */
    bool is_gathered;            /* sparse: its inputs are looked up, not taken as they are */
    const uint8_t *input_columns; /* of each of those inputs the column; NULL: the kernel reads `indices` */
    const uint8_t *indices;      /* sparse: (tile_count, tile_columns / block_columns) */
    const uint8_t *steps;        /* (rows,) factor of a row's products; NULL: all are 1 */
    const float *scale, *bias;   /* (rows,), and SLACK_ROWS more may be read */
    int8_t codebook[16];         /* what the 4-bit codes stand for */
    int32_t *row_offset;         /* -128 times the sum of each row, for kernels that need it */
    const matrix *inner;         /* of two factors, what the inputs meet first; NULL: there is one matrix alone */
    float gain;                  /* inner: of its values, before they are rounded to int8 for the other factor */
};

/* The columns of a matrix, or of both its factors together. */
static inline uint32_t inputs_of(const matrix *m) { return m->inner == NULL ? m->columns : m->inner->columns; }

typedef enum { DENSE = 1, GRU = 2, DECODE = 3, SRU = 4 } layer_kind;

typedef struct {
    layer_kind kind;
    uint32_t inputs, outputs;
    uint32_t hop, windows; /* dense */
    float output_gain;     /* dense */
    const matrix *all;     /* dense: scale and bias of the rows of all windows; no weights */
    const matrix *input;
    const matrix *state;   /* GRU; its units are `outputs` */
    size_t h_at, hq_at;    /* GRU: float32 state and its int8 copy, in the scratch; decode: h_at, that of a position;
                              SRU: h_at, its state */
    const float *positions; /* decode: (outputs / inputs, 3 inputs), and SLACK_ROWS more may be read */
    const float *peephole;  /* SRU: (2, outputs), and SLACK_ROWS more may be read */
} layer;

/* The map over the last frames beside the layers, see linear.c. */
typedef struct {
    const matrix *affine; /* (positions, frames); NULL: the model has none */
    uint32_t width, frames;
    size_t rows_at, columns_at, values_at; /* in the scratch: the frames, one after the other and side by side; a sum */
} linear_map;

typedef struct {
    const int16_t *sigmoid, *tanh; /* Q15, with one entry before them that a gather may touch */
} tables;

/* The elementwise lines of arithmetic.py, see gates.h. */
typedef struct {
    void (*quantize_frame)(const float *frame, float *error, float gain, int8_t *q, uint32_t count);
    void (*quantize_state)(const float *h, int8_t *hq, uint32_t count);
    void (*affine)(const matrix *m, const int32_t *acc, float *v);
    void (*rectify)(const matrix *m, const int32_t *acc, float gain, int8_t *q);
    void (*requantize)(const matrix *inner, const int32_t *acc, int8_t *q);
    void (*gates)(const layer *gru, const tables *tables, const int32_t *ax, const int32_t *ah, float *room,
                  float *h, int8_t *hq);
    void (*sru)(const layer *sru, const tables *tables, const int32_t *acc, float *room, float *c, int8_t *q);
} elementwise;

/* What zeros cost, in tenths of the time of a dense tile, see spread.c. */
typedef struct {
    uint8_t tile, block, lookup;
} sparse_cost;

typedef struct {
    const char *name;
    bool needs_row_offset;
    sparse_cost low, high;
    uint32_t columns_at_once; /* blocks of columns that are looked up many at once: those cost no lookup */
    bool (*runs_here)(void);
    /* rows of int8 x int8 -> acc, rows up to a whole block; `gathered` is memory for the inputs of a sparse one */
    void (*product)(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered);
    void (*product_back)(const matrix *m, const int8_t *q, int32_t *acc, uint8_t *gathered); /* see product.h */
    const elementwise *lines;
    /* the same for windows of the inputs, each `hop` behind the one before -> acc (windows, rows) */
    void (*products)(const matrix *m, const int8_t *q, uint32_t hop, uint32_t windows, int32_t *acc, uint8_t *gathered);
    bool takes_columns; /* it looks inputs up by matrix.input_columns, of matrices of up to 256 columns */
} kernel;

#if defined(__x86_64__) || defined(__i386__)
extern const kernel tinyrnn_avx2;
#endif
#if defined(__x86_64__)
extern const kernel tinyrnn_avx512;
#endif
#if defined(__aarch64__)
extern const kernel tinyrnn_sdot;
#endif
#if defined(HAS_NEON_KERNEL)
extern const kernel tinyrnn_neon;
#endif
extern const kernel tinyrnn_portable;

extern const elementwise tinyrnn_portable_lines;

struct tinyrnn {
    const kernel *kernel;
    tables tables;
    uint32_t feature_size, state_size, score_count, layer_count;
    uint32_t stride; /* of the speech front end; 0: the file does not tell */
    float input_gain;
    layer layers[MAX_LAYERS];
    uint32_t lasting_layers; /* up to the last recurrent one: others behind it matter to a step's own scores alone */
    matrix matrices[MAX_MATRICES];
    uint32_t matrix_count;
    const matrix *head;
    uint32_t positions; /* the head is applied to each of so many equal parts of what the layers give */
    uint32_t decoded;   /* units of the GRU before the decode layer; 0: there is no such layer */
    linear_map linear;
    const float *zeros; /* decode: (3 decoded,), and SLACK_ROWS more may be read */
    const char *labels; /* each ends with a zero byte; NULL if the file names none */
    uint32_t label_count;
    size_t frame_at, error_at, q_at[2], ax_at, ah_at, room_at, gathered_at, between_at, scores_at, scratch_size;
    uint8_t *scratch;
    void *allocated;
};

/* Check every number of the file and describe it in `model`, whose pointers then lead into the file. */
bool tinyrnn_read(tinyrnn *model, const uint8_t *file, size_t size, char error[TINYRNN_ERROR_SIZE]);

/* The kernel of that name, NULL if there is none that runs here; without a name the fastest. */
const kernel *tinyrnn_choose_kernel(const char *name);

/* Bytes of a sparse matrix as a dense one; 0 where its zeros pay, or it has none. */
size_t tinyrnn_spread_bytes(const kernel *k, const matrix *m);

/* Make it dense, in so many bytes. */
void tinyrnn_spread(matrix *m, uint8_t *to);

/* Bytes of the plan of a sparse matrix; 0 for others. */
size_t tinyrnn_plan_bytes(const kernel *k, const matrix *m);

/* Plan it, in so many bytes. */
void tinyrnn_plan(const kernel *k, matrix *m, void *to);

#define SIGMOID_HALF 2048
#define TANH_HALF 4096
void tinyrnn_fill_tables(int16_t sigmoid[2 * SIGMOID_HALF], int16_t tanh[2 * TANH_HALF]);

static inline size_t round_up(size_t value, size_t to) { return (value + to - 1) / to * to; }

#endif
