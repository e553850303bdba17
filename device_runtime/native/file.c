/* model.native: read where it lies, after every number in it has been checked. Little endian throughout.
 *
 *      0  "tinyrnn" and a zero byte
 *      8  format, 1 to 4                       36  labels_bytes   texts, each ends with a zero byte
 *     12  file_size                            40  stride of the speech front end, 0: of no such
 *     16  feature_size                         44  format 2: linear_frames, 0: there is no linear map
 *     20  input_gain                           48  format 2: linear_width; then zeros
 *     24  layer_count                          64  layers, 16 bytes each, see below
 *     28  score_count                              matrices, 64 bytes each: one of a dense layer or of simple recurrent
 *     32  labels_at      0: none                   units, input and state of a GRU layer, the head's, the linear map's
 *                                                  then the sections that they point at, 64 zero bytes at the end
 *
 * A layer record: kind, then 1 dense: hop, output_gain, 0. 2 GRU: 0, 0, 0. 3 decode, in format 2, right after a GRU
 * and the last layer: positions, where the float32 (positions, 3 units) begin that stand for the input in the gates, 0.
 * 4 simple recurrent units, in format 4: 0, where the float32 (2, units) begin by which the forget and the reset gates
 * see the state, 0. Their matrix has the rows of all candidates, then of the forget gates, of the reset gates, and
 * of what passes by the cell.
 *
 * The head is applied to the units of each position, so that score_count is positions times its rows. The linear map
 * maps the last linear_frames frames, of each the first linear_width features, to a number for each position; it is
 * added to the scores of that feature, of which a position has its rows / linear_width. There is one label for each row
 * of the head, or one for each of so many equal parts of its rows.
 *
 * A matrix record: 0 rows, 4 columns, 8 sparse_rows, 9 is_four_bit, 10 block_columns, 11 index_bytes (one byte each),
 * 12 tile_count, then where its sections begin: 16 tiles, 20 tile_counts, 24 indices, 28 steps (0: none), 32 scale,
 * 36 bias; 40 the codebook, 16 int8 values; 56 zeros. From format 3 on, 56 is the float32 gain of a matrix that is the
 * first of two factors, 0 of others: its values times the gain are rounded to int8 and go into the second, whose record
 * comes next, and has as many columns as the first has rows. The two stand where one matrix may.
 *
 * Tiles hold 64 values. Dense (sparse_rows is 0): 16 rows x 4 columns, row by row; groups of columns follow one
 * another, then the next 16 rows. Sparse: 16 rows x 4 columns or 8 rows x 8 columns, as sparse_rows tells; `indices`
 * name the columns in units of block_columns, tile_counts (uint16) says how many tiles each so many rows have, and only
 * columns with a weight in them are there. In 4 bits a tile is half as long: byte i holds value i in its low nibble and
 * value i + 32 in its high one, as places in the codebook; a row's products are multiplied by its step (uint8), so that
 * codebook * step is the weight. What is past the last column must be zero, what is past the last row may be anything.
 */
#include "file.h"

#include <stdarg.h>
#include <stdio.h>

enum { HEADER = 64, LAYER = 16, MATRIX = 64, FORMAT = 4, MAX_FILE = 64 << 20 };

static const char magic[8] = "tinyrnn";

bool refuse(const file *f, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(f->error, TINYRNN_ERROR_SIZE, format, values);
    va_end(values);
    return false;
}

const uint8_t *section(const file *f, const char *name, uint32_t at, uint64_t bytes, uint32_t alignment) {
    if (at % alignment != 0 || (uint64_t)at + bytes > f->size) {
        refuse(f, "%s begin at %lu and take %llu bytes of %lu, on a multiple of %lu", name, (unsigned long)at,
               (unsigned long long)bytes, (unsigned long)f->size, (unsigned long)alignment);
        return NULL;
    }
    return f->bytes + at;
}

static bool is_gain(float v) { return v >= 1e-9f && v <= 1e9f; /* false for NaN */ }

/* The matrix as a layer needs it: 0 rows or columns may be any. */
static bool check_shape(const file *f, const matrix *m, uint32_t rows, uint32_t columns) {
    const uint32_t inputs = inputs_of(m);
    if ((rows != 0 && m->rows != rows) || (columns != 0 && inputs != columns)) {
        return refuse(f, "a matrix has %lu rows and %lu columns; its layer needs %lu and %lu", (unsigned long)m->rows,
                      (unsigned long)inputs, (unsigned long)(rows ? rows : m->rows),
                      (unsigned long)(columns ? columns : inputs));
    }
    return true;
}

/* What the format does not have reads as a kind that nobody knows. */
static uint32_t kind_of(const file *f, size_t at) {
    const uint32_t kind = uint32_at(f, at), since = kind == SRU ? 4 : kind == DECODE ? 2 : 1;
    return uint32_at(f, 8) < since ? 0 : kind;
}

static bool read_decode(const file *f, size_t at, tinyrnn *model, layer *l, uint32_t inputs) {
    const uint32_t positions = uint32_at(f, at + 4);
    if (l == model->layers || l[-1].kind != GRU || l + 1 != model->layers + model->layer_count) {
        return refuse(f, "a decode layer is not the last one, right after a GRU");
    }
    if (positions < 1 || positions > MAX_VALUES / inputs) {
        return refuse(f, "a decode layer has %lu positions of %lu units; at most %d values are allowed",
                      (unsigned long)positions, (unsigned long)inputs, MAX_VALUES);
    }
    l->kind = DECODE, l->inputs = inputs, l->outputs = positions * inputs;
    model->positions = positions, model->decoded = inputs;
    l->positions = read_floats(f, "positions", uint32_at(f, at + 8), 3 * l->outputs);
    return l->positions != NULL;
}

/* What a layer takes next: of two factors the second, which leads to the first. */
static const matrix *next_matrix(tinyrnn *model) {
    const matrix *m = &model->matrices[model->matrix_count++];
    return m->gain != 0 ? &model->matrices[model->matrix_count++] : m;
}

static bool read_sru(const file *f, size_t at, tinyrnn *model, layer *l, uint32_t inputs) {
    const matrix *m = next_matrix(model);
    if (m->rows % 4 != 0) {
        return refuse(f, "a matrix has %lu rows; simple recurrent units take 4 each", (unsigned long)m->rows);
    }
    l->kind = SRU, l->input = m, l->inputs = inputs, l->outputs = m->rows / 4;
    model->state_size += l->outputs;
    model->lasting_layers = (uint32_t)(l - model->layers) + 1;
    l->peephole = read_floats(f, "peephole weights", uint32_at(f, at + 8), 2 * l->outputs);
    return l->peephole != NULL && check_shape(f, m, 0, inputs);
}

static bool read_layer(const file *f, size_t at, tinyrnn *model, layer *l, uint32_t inputs) {
    uint32_t kind = kind_of(f, at);
    if (kind == DECODE) {
        return read_decode(f, at, model, l, inputs);
    }
    if (kind == SRU) {
        return read_sru(f, at, model, l, inputs);
    }
    l->kind = kind == DENSE ? DENSE : GRU;
    l->inputs = inputs, l->hop = uint32_at(f, at + 4), l->output_gain = float_at(f, at + 8);
    const matrix *m = l->input = next_matrix(model);
    const uint32_t columns = inputs_of(m);
    if (kind == GRU) {
        l->state = next_matrix(model), l->outputs = inputs_of(l->state);
        model->state_size += l->outputs;
        model->lasting_layers = (uint32_t)(l - model->layers) + 1;
        return check_shape(f, l->state, 3 * l->outputs, 0) && check_shape(f, m, 3 * l->outputs, inputs);
    }
    if (kind != DENSE || l->hop < 1 || l->hop > MAX_VALUES || !is_gain(l->output_gain)) {
        return refuse(f, "a layer has the kind %lu, hop %lu and output_gain %g", (unsigned long)uint32_at(f, at),
                      (unsigned long)l->hop, (double)l->output_gain);
    }
    if (columns > inputs) {
        return check_shape(f, m, 0, inputs);
    }
    l->windows = 1 + (inputs - columns) / l->hop;
    uint64_t values = (uint64_t)l->windows * (m->rows > columns ? m->rows : columns);
    if (values > MAX_VALUES) {
        return refuse(f, "a layer would make %llu values a step; at most %d are allowed", (unsigned long long)values,
                      MAX_VALUES);
    }
    l->outputs = l->windows * m->rows;
    return true;
}

/* The head, of as many rows as the scores of one position; it and the linear map come behind the layers' matrices. */
static bool read_head(const file *f, tinyrnn *model, uint32_t values) {
    const matrix *m = model->head = next_matrix(model);
    if (model->score_count % model->positions != 0) {
        return refuse(f, "a step has %lu scores, but not equally many at each of %lu positions",
                      (unsigned long)model->score_count, (unsigned long)model->positions);
    }
    return check_shape(f, m, model->score_count / model->positions, values / model->positions);
}

static bool read_linear(const file *f, tinyrnn *model) {
    const uint32_t rows = model->head->rows;
    linear_map *linear = &model->linear;
    if (linear->frames == 0) {
        return true;
    }
    linear->affine = next_matrix(model);
    if (linear->width < 1 || linear->width > model->feature_size || rows % linear->width != 0) {
        return refuse(f, "the linear map is %lu wide, with %lu features and %lu scores at a position",
                      (unsigned long)linear->width, (unsigned long)model->feature_size, (unsigned long)rows);
    }
    if (linear->frames > MAX_VALUES / linear->width) {
        return refuse(f, "the linear map keeps %lu frames of %lu values; at most %d values are allowed",
                      (unsigned long)linear->frames, (unsigned long)linear->width, MAX_VALUES);
    }
    model->state_size += linear->frames * linear->width;
    return check_shape(f, linear->affine, model->positions, linear->frames);
}

static bool read_labels(const file *f, tinyrnn *model) {
    uint32_t at = uint32_at(f, 32), bytes = uint32_at(f, 36), ends = 0;
    if (at == 0) {
        return true;
    }
    model->labels = (const char *)section(f, "labels", at, bytes, 1);
    for (uint32_t i = 0; model->labels != NULL && i < bytes; i++) {
        ends += model->labels[i] == 0;
    }
    if (model->labels != NULL && (ends == 0 || model->head->rows % ends != 0 || model->labels[bytes - 1] != 0)) {
        return refuse(f, "%lu labels are named, but a step has %lu scores", (unsigned long)ends,
                      (unsigned long)model->score_count);
    }
    model->label_count = ends;
    return model->labels != NULL;
}

static bool read_header(const file *f, tinyrnn *model) {
    if (f->size < HEADER || memcmp(f->bytes, magic, sizeof magic) != 0) {
        return refuse(f, "it is no model.native, or it was cut short");
    }
    if (uint32_at(f, 8) < 1 || uint32_at(f, 8) > FORMAT) {
        return refuse(f, "it has the format %lu, but this engine reads 1 to %d", (unsigned long)uint32_at(f, 8),
                      FORMAT);
    }
    if (uint32_at(f, 12) != f->size || f->size > MAX_FILE) {
        return refuse(f, "it has %lu bytes, but should have %lu", (unsigned long)f->size,
                      (unsigned long)uint32_at(f, 12));
    }
    model->feature_size = uint32_at(f, 16), model->input_gain = float_at(f, 20);
    model->layer_count = uint32_at(f, 24), model->score_count = uint32_at(f, 28);
    if (model->feature_size < 1 || model->feature_size > MAX_VALUES || !is_gain(model->input_gain)) {
        return refuse(f, "feature_size is %lu and input_gain %g", (unsigned long)model->feature_size,
                      (double)model->input_gain);
    }
    if (model->score_count < 1 || model->score_count > MAX_VALUES) {
        return refuse(f, "a step has %lu scores; it takes 1 to %d", (unsigned long)model->score_count, MAX_VALUES);
    }
    model->stride = uint32_at(f, 40);
    if (model->stride > MAX_VALUES) {
        return refuse(f, "its frames are %lu vectors of speech apart; this engine takes up to %d",
                      (unsigned long)model->stride, MAX_VALUES);
    }
    if (uint32_at(f, 8) >= 2) {
        model->linear.frames = uint32_at(f, 44), model->linear.width = uint32_at(f, 48);
    }
    if (model->layer_count > MAX_LAYERS) {
        return refuse(f, "it has %lu layers; this engine takes %d", (unsigned long)model->layer_count, MAX_LAYERS);
    }
    return true;
}

/* So many matrices; each may be two. */
static bool read_matrices(const file *f, tinyrnn *model, uint64_t at, uint32_t matrices) {
    const matrix *inner = NULL;
    for (uint32_t records = 0; matrices > 0; records++, at += MATRIX) {
        matrix *m = &model->matrices[records];
        if (records == MAX_MATRICES) {
            return refuse(f, "it has more than %d matrices", MAX_MATRICES);
        }
        if (at + (uint64_t)MATRIX * matrices > f->size) {
            return refuse(f, "it ends within its matrices");
        }
        if (!read_matrix(f, (size_t)at, m)) {
            return false;
        }
        m->inner = inner, m->gain = inner == NULL && uint32_at(f, 8) >= 3 ? float_at(f, (size_t)at + 56) : 0;
        if (m->gain != 0 && !is_gain(m->gain)) {
            return refuse(f, "the gain between two factors is %g", (double)m->gain);
        }
        if (inner != NULL && m->columns != inner->rows) {
            return refuse(f, "a factor has %lu rows, but the one behind it %lu columns", (unsigned long)inner->rows,
                          (unsigned long)m->columns);
        }
        inner = m->gain != 0 ? m : NULL;
        matrices -= inner == NULL;
    }
    return true;
}

bool tinyrnn_read(tinyrnn *model, const uint8_t *bytes, size_t size, char error[TINYRNN_ERROR_SIZE]) {
    const file f = {bytes, size, error};
    memset(model, 0, sizeof *model);
    if ((uintptr_t)bytes % 4 != 0) {
        return refuse(&f, "it must lie at an address that is a multiple of 4");
    }
    if (!read_header(&f, model)) {
        return false;
    }
    uint64_t layers_end = HEADER + (uint64_t)LAYER * model->layer_count;
    uint32_t matrices = 1 + (model->linear.frames > 0);
    if (layers_end > size) {
        return refuse(&f, "it ends within its layers");
    }
    for (uint32_t i = 0; i < model->layer_count; i++) {
        const uint32_t kind = kind_of(&f, HEADER + LAYER * i);
        matrices += kind == GRU ? 2 : kind != DECODE;
    }
    if (!read_matrices(&f, model, layers_end, matrices)) {
        return false;
    }
    uint32_t values = model->feature_size;
    model->state_size = model->feature_size, model->positions = 1;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        if (!read_layer(&f, HEADER + LAYER * i, model, &model->layers[i], values)) {
            return false;
        }
        values = model->layers[i].outputs;
    }
    return read_head(&f, model, values) && read_linear(&f, model) && read_labels(&f, model);
}
