/* NumPy's arrays at the price of a pointer: their buffers cost more than a small model's step.
 *
 * NumPy is used where it is already imported, and never needed. What is known here of its binary interface is what
 * every extension built against it has compiled in; it is tried on an array before it is relied upon, and where
 * anything differs, arrays go through their buffers and numpy.empty.
 */
#include <string.h>

#include "binding.h"

enum { API_VERSION = 0, API_ARRAY_TYPE = 2, API_DESCRIPTION = 45, API_NEW = 93 }; /* places in NumPy's _ARRAY_API */
enum { TYPE_FLOAT32 = 11 };
enum { C_CONTIGUOUS = 0x1, ALIGNED = 0x100, WRITEABLE = 0x400 };

typedef struct {
    PyObject_HEAD
    char *data;
    int dimensions;
    Py_ssize_t *shape, *strides;
    PyObject *base, *description;
    int flags; /* negative: NumPy wants to warn before a write */
    PyObject *weak_references;
} array;

typedef PyObject *(*make_array)(PyTypeObject *, int, const Py_ssize_t *, int, const Py_ssize_t *, void *, int, int,
                                PyObject *);

static struct {
    PyTypeObject *type; /* NULL: not found, or not as it is known here */
    PyObject *float32;
    make_array make;
} numpy;

static void *const *api_of(const char *name) {
    PyObject *text = PyUnicode_FromString(name);
    PyObject *module = text == NULL ? NULL : PyImport_GetModule(text);
    PyObject *capsule = module == NULL ? NULL : PyObject_GetAttrString(module, "_ARRAY_API");
    void *const *api = capsule == NULL ? NULL : PyCapsule_GetPointer(capsule, NULL);
    Py_XDECREF(text);
    Py_XDECREF(module); /* sys.modules keeps it */
    Py_XDECREF(capsule);
    PyErr_Clear();
    return api;
}

static PyObject *make_floats(int dimensions, const Py_ssize_t *shape) {
    return numpy.make(numpy.type, dimensions, shape, TYPE_FLOAT32, NULL, NULL, 0, 0, NULL);
}

/* An array and its buffer must tell the same. */
static int is_as_known(void) {
    const Py_ssize_t three = 3;
    PyObject *made = make_floats(1, &three);
    Py_buffer view;
    if (made == NULL || PyObject_GetBuffer(made, &view, PyBUF_FORMAT | PyBUF_WRITABLE) < 0) {
        PyErr_Clear();
        Py_XDECREF(made);
        return 0;
    }
    const array *known = (const array *)(void *)made;
    const int is_known = known->data == view.buf && view.len == 12 && strcmp(view.format, "f") == 0 &&
                         known->dimensions == 1 && known->shape[0] == 3 && known->strides[0] == 4 &&
                         known->description == numpy.float32 &&
                         (known->flags & (C_CONTIGUOUS | ALIGNED | WRITEABLE)) == (C_CONTIGUOUS | ALIGNED | WRITEABLE);
    PyBuffer_Release(&view);
    Py_DECREF(made);
    return is_known;
}

void numpy_find(void) {
    void *const *api = numpy.type != NULL ? NULL : api_of("numpy._core._multiarray_umath");
    api = api != NULL || numpy.type != NULL ? api : api_of("numpy.core._multiarray_umath"); /* before NumPy 2 */
    if (api == NULL) {
        return;
    }
    const unsigned version = ((unsigned (*)(void))api[API_VERSION])();
    if (version >> 24 != 1 && version >> 24 != 2) {
        return;
    }
    numpy.make = (make_array)api[API_NEW];
    numpy.float32 = ((PyObject * (*)(int)) api[API_DESCRIPTION])(TYPE_FLOAT32);
    numpy.type = api[API_ARRAY_TYPE];
    numpy.type = is_as_known() ? numpy.type : NULL;
}

int numpy_view(PyObject *object, int writable, Py_buffer *view) {
    const int needed = C_CONTIGUOUS | ALIGNED | (writable ? WRITEABLE : 0);
    const array *from = (const array *)(void *)object;
    if (numpy.type == NULL || Py_TYPE(object) != numpy.type || from->description != numpy.float32 ||
        (from->flags & needed) != needed || from->flags < 0) {
        return 0;
    }
    Py_ssize_t length = sizeof(float);
    for (int i = 0; i < from->dimensions; i++) {
        length *= from->shape[i];
    }
    view->obj = NULL; /* the caller's reference lasts as long as the call */
    view->buf = from->data;
    view->len = length;
    return 1;
}

PyObject *numpy_floats(int dimensions, const Py_ssize_t *shape, float **data) {
    PyObject *made = NULL;
    Py_buffer view;
    if (numpy.type != NULL) {
        made = make_floats(dimensions, shape);
        *data = made == NULL ? NULL : (float *)(void *)((array *)(void *)made)->data;
        return made;
    }
    PyObject *module = PyImport_ImportModule("numpy");
    if (module != NULL) {
        made = dimensions == 1 ? PyObject_CallMethod(module, "empty", "ns", shape[0], "f4")
                               : PyObject_CallMethod(module, "empty", "(nn)s", shape[0], shape[1], "f4");
    }
    Py_XDECREF(module);
    if (made == NULL || PyObject_GetBuffer(made, &view, PyBUF_WRITABLE) < 0) {
        Py_XDECREF(made);
        return NULL;
    }
    *data = view.buf;
    PyBuffer_Release(&view); /* the memory stays the array's */
    return made;
}

PyObject *numpy_plain(PyObject *object) {
    PyObject *module = PyImport_ImportModule("numpy"), *plain = NULL;
    if (module != NULL) {
        plain = PyObject_CallMethod(module, "ascontiguousarray", "Os", object, "f4");
    }
    Py_XDECREF(module);
    return plain;
}

/* Whoever holds a view of an array, or its buffer, holds the array too. What its shape, type and flags are now counts,
 * for a caller may have changed them. */
static int is_free(PyObject *made, Py_ssize_t size, Py_buffer *view) {
    const array *known = (const array *)(void *)made;
    return made != NULL && Py_REFCNT(made) == 1 && numpy_view(made, 1, view) && known->weak_references == NULL &&
           known->dimensions == 1 && known->shape[0] == size;
}

PyObject *numpy_answer(answers *kept, Py_ssize_t size, float **data) {
    Py_buffer view;
    for (int i = 0; i < 2; i++) {
        if (is_free(kept->of[i], size, &view)) {
            *data = view.buf;
            return Py_NewRef(kept->of[i]);
        }
    }
    PyObject *made = numpy_floats(1, &size, data);
    if (made != NULL) {
        PyObject *old = kept->of[kept->oldest];
        kept->of[kept->oldest] = Py_NewRef(made);
        kept->oldest = 1 - kept->oldest;
        Py_XDECREF(old);
    }
    return made;
}
