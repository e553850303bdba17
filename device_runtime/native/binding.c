/* The engine as a Python extension: limited API, buffers in and out, so that a call costs little and needs no NumPy. */
#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdlib.h>
#include <string.h>

#include "tinyrnn.h"

typedef struct {
    PyObject_HEAD
    tinyrnn *model;
    void *memory; /* a copy of the file, so that nobody changes what was checked, and the arena */
} Model;

enum { ALIGNMENT = 64, FLOAT = sizeof(float) };

static uint8_t *aligned(void *memory) {
    return (uint8_t *)(((uintptr_t)memory + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

static PyObject *model_new(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *names[] = {"file", "kernel", NULL};
    Py_buffer file;
    const char *kernel = NULL;
    char error[TINYRNN_ERROR_SIZE];
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "y*|z", names, &file, &kernel)) {
        return NULL;
    }
    Model *self = NULL;
    size_t size = (size_t)file.len;
    uint8_t *memory = malloc(size + 2 * ALIGNMENT);
    if (memory == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    uint8_t *copy = memcpy(aligned(memory), file.buf, size);
    tinyrnn *model = tinyrnn_open(copy, size, kernel, NULL, 0, error);
    if (model == NULL) {
        PyErr_SetString(PyExc_ValueError, error);
        free(memory);
        goto done;
    }
    self = PyObject_New(Model, type);
    if (self == NULL) {
        tinyrnn_close(model);
        free(memory);
        goto done;
    }
    self->model = model;
    self->memory = memory;
done:
    PyBuffer_Release(&file);
    return (PyObject *)self;
}

static void model_dealloc(PyObject *object) {
    Model *self = (Model *)object;
    PyTypeObject *type = Py_TYPE(object);
    tinyrnn_close(self->model);
    free(self->memory);
    PyObject_Free(object);
    Py_DECREF(type);
}

/* Float32 values, or bytes that are such values, `count` times `size` of them; one line says what is wrong otherwise.
 * `count` of -1 takes as many as there are, and is told. */
static int take(PyObject *object, const char *name, Py_ssize_t *count, Py_ssize_t size, int writable, Py_buffer *view) {
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, view, flags) < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s must be a contiguous buffer%s, such as a NumPy array or a bytearray", name,
                     writable ? " that can be written to" : "");
        return -1;
    }
    const char *format = view->format == NULL ? "B" : view->format;
    int is_float = strcmp(format, "f") == 0 || strcmp(format, "<f") == 0;
    int is_bytes = view->itemsize == 1;
    Py_ssize_t whole = FLOAT * size, found = view->len / whole;
    if (!is_float && !is_bytes) {
        PyErr_Format(PyExc_ValueError, "%s must hold float32 values or bytes, got the format '%s'", name, format);
    } else if (*count < 0 ? view->len % whole != 0 : view->len != *count * whole) {
        PyErr_Format(PyExc_ValueError, "%s must have %zd values%s, got %zd bytes", name,
                     *count < 0 ? size : *count * size, *count < 0 ? " a step" : "", view->len);
    } else if ((uintptr_t)view->buf % FLOAT != 0) {
        PyErr_Format(PyExc_ValueError, "%s must begin at an address that is a multiple of 4", name);
    } else {
        *count = *count < 0 ? found : *count;
        return 0;
    }
    PyBuffer_Release(view);
    return -1;
}

typedef void (*run_function)(const tinyrnn *, void *, const float *, size_t, float *, float *);

/* Frames and states in, scores and next states out. Many frames run without the GIL, in memory of their own. */
static PyObject *run(Model *self, PyObject *const *args, Py_ssize_t given, Py_ssize_t count, int is_streams) {
    static const char *const names[2][4] = {{"frames", "state", "scores", "next_state"},
                                            {"frames", "states", "scores", "next_states"}};
    const tinyrnn *model = self->model;
    const Py_ssize_t states_size = tinyrnn_state_size(model);
    const Py_ssize_t sizes[4] = {tinyrnn_feature_size(model), states_size, tinyrnn_score_count(model), states_size};
    Py_ssize_t one = 1;
    Py_buffer views[4];
    int taken = 0, is_fine = 1;
    PyObject *answer = NULL;
    if (given != 4) {
        PyErr_Format(PyExc_TypeError, "it takes a frame, a state, scores and the next state, got %zd arguments", given);
        return NULL;
    }
    for (; taken < 4 && is_fine; taken += is_fine) {
        Py_ssize_t *many = taken % 2 == 1 && !is_streams ? &one : &count;
        is_fine = take(args[taken], names[is_streams][taken], many, sizes[taken], taken >= 2, &views[taken]) == 0;
    }
    if (!is_fine) {
        goto done;
    }
    if (views[1].buf != views[3].buf) {
        memmove(views[3].buf, views[1].buf, (size_t)views[3].len);
    }
    const float *frames = views[0].buf;
    float *scores = views[2].buf, *states = views[3].buf;
    if (count == 1) {
        tinyrnn_steps(model, NULL, frames, 1, states, scores);
    } else if (count > 1) {
        void *scratch = malloc(tinyrnn_scratch_size(model));
        if (scratch == NULL) {
            PyErr_NoMemory();
            goto done;
        }
        memset(scratch, 0, tinyrnn_scratch_size(model));
        run_function many = is_streams ? tinyrnn_streams : tinyrnn_steps;
        Py_BEGIN_ALLOW_THREADS
        many(model, scratch, frames, (size_t)count, states, scores);
        Py_END_ALLOW_THREADS
        free(scratch);
    }
    answer = Py_NewRef(Py_None);
done:
    while (taken > 0) {
        PyBuffer_Release(&views[--taken]);
    }
    return answer;
}

static PyObject *model_step(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    return run((Model *)self, args, given, 1, 0);
}

static PyObject *model_steps(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    return run((Model *)self, args, given, -1, 0);
}

static PyObject *model_streams(PyObject *self, PyObject *const *args, Py_ssize_t given) {
    return run((Model *)self, args, given, -1, 1);
}

static PyObject *get_feature_size(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(tinyrnn_feature_size(((Model *)self)->model));
}

static PyObject *get_state_size(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(tinyrnn_state_size(((Model *)self)->model));
}

static PyObject *get_score_count(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLong(tinyrnn_score_count(((Model *)self)->model));
}

static PyObject *get_kernel(PyObject *self, void *unused) {
    (void)unused;
    return PyUnicode_FromString(tinyrnn_kernel(((Model *)self)->model));
}

static PyObject *get_labels(PyObject *self, void *unused) {
    (void)unused;
    const tinyrnn *model = ((Model *)self)->model;
    Py_ssize_t count = tinyrnn_score_count(model);
    PyObject *labels = PyTuple_New(count);
    for (Py_ssize_t i = 0; labels != NULL && i < count; i++) {
        const char *text = tinyrnn_label(model, (uint32_t)i);
        PyObject *label = PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
        if (label == NULL || PyTuple_SetItem(labels, i, label) < 0) {
            Py_CLEAR(labels);
        }
    }
    return labels;
}

static PyMethodDef model_methods[] = {
    {"step", (PyCFunction)(void (*)(void))model_step, METH_FASTCALL,
     "step(frame, state, scores, next_state): one frame; the last two are written to. state may be next_state."},
    {"steps", (PyCFunction)(void (*)(void))model_steps, METH_FASTCALL,
     "steps(frames, state, scores, next_state): many frames of one stream."},
    {"streams", (PyCFunction)(void (*)(void))model_streams, METH_FASTCALL,
     "streams(frames, states, scores, next_states): one frame of each of many streams."},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef model_getters[] = {
    {"feature_size", get_feature_size, NULL, "Numbers in a frame.", NULL},
    {"state_size", get_state_size, NULL, "Numbers in a stream's state.", NULL},
    {"score_count", get_score_count, NULL, "Scores of a step.", NULL},
    {"labels", get_labels, NULL, "What the scores stand for; empty texts where the file does not tell.", NULL},
    {"kernel", get_kernel, NULL, "The code that runs the model.", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot model_slots[] = {
    {Py_tp_doc, "Model(file, kernel=None): the bytes of model.native, ready to run."},
    {Py_tp_new, model_new},
    {Py_tp_dealloc, model_dealloc},
    {Py_tp_methods, model_methods},
    {Py_tp_getset, model_getters},
    {0, NULL},
};

static PyType_Spec model_spec = {
    "device_runtime.native._native.Model", sizeof(Model), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, model_slots,
};

static PyObject *kernels(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *names = PyList_New(0);
    const char *name;
    for (uint32_t at = 0; names != NULL && (name = tinyrnn_kernel_name(at)) != NULL; at++) {
        PyObject *text = PyUnicode_FromString(name);
        if (text == NULL || PyList_Append(names, text) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(text);
    }
    return names;
}

static PyMethodDef functions[] = {
    {"kernels", kernels, METH_NOARGS, "Names of the kernels that this processor runs, fastest first."},
    {NULL, NULL, 0, NULL},
};

static int fill_module(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &model_spec, NULL);
    int result = type == NULL ? -1 : PyModule_AddObjectRef(module, "Model", type);
    Py_XDECREF(type);
    return result;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill_module}, {0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", "The native engine.", 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
