// Compiles HLSL files with one of Microsoft's compilers, under Windows or wine: see dx12.sh.
//
//     dx12.exe fxc|dxc FILE...
//
// Prints a line for each file, `ok FILE` or `refused FILE: the compiler's first message`.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

static char *text_of(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file) { printf("cannot read %s\n", path); exit(2); }
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    *size = fread(text, 1, *size, file);
    text[*size] = 0;
    fclose(file);
    return text;
}

// Every COM object begins with a table of functions; those used here, by their places in it.
typedef struct { void **functions; } Object;
#define CALL(object, place, result, types, ...) \
    ((result(WINAPI *) types)(object)->functions[place])(object, ##__VA_ARGS__)
#define RELEASE(object) CALL(object, 2, ULONG, (Object *))

static void report(const char *path, HRESULT status, const char *message, size_t size) {
    if (SUCCEEDED(status)) { printf("ok %s\n", path); return; }
    // Errors come after warnings.
    const char *from = message ? message : "", *error = strstr(from, "error");
    for (const char *at = from; error && at < error; at++)
        if (*at == '\n') from = at + 1;
    size_t length = strcspn(from, "\r\n");
    if (message && from + length > message + size) length = message + size - from;
    printf("refused %s: %.*s\n", path, (int)length, from);
}

typedef HRESULT(WINAPI *Compile)(const void *, SIZE_T, const char *, const void *, void *, const char *,
                                 const char *, UINT, UINT, Object **, Object **);

static void fxc(HMODULE library, const char *path) {
    Compile compile = (Compile)(void *)GetProcAddress(library, "D3DCompile");
    size_t size;
    char *text = text_of(path, &size);
    Object *code = NULL, *messages = NULL;
    // 1 << 11: strictness, which wgpu asks for.
    HRESULT status = compile(text, size, path, NULL, NULL, "main", "cs_5_1", 1 << 11, 0, &code, &messages);
    const char *message = messages ? CALL(messages, 3, const char *, (Object *)) : NULL;
    report(path, status, message, messages ? CALL(messages, 4, SIZE_T, (Object *)) : 0);
    if (code) RELEASE(code);
    if (messages) RELEASE(messages);
    free(text);
}

typedef HRESULT(WINAPI *Create)(const GUID *, const GUID *, void **);
static const GUID COMPILER_CLASS = {0x73e22d93, 0xe6ce, 0x47f3, {0xb5, 0xbf, 0xf0, 0x66, 0x4f, 0x39, 0xc1, 0xb0}};
static const GUID COMPILER_3 = {0x228b4687, 0x5a6a, 0x4730, {0x90, 0x0c, 0x97, 0x02, 0xb2, 0x20, 0x3f, 0x54}};
static const GUID RESULT = {0x58346cda, 0xdde7, 0x4497, {0x94, 0x61, 0x6f, 0x87, 0xaf, 0x5e, 0x06, 0x59}};
struct Source { const void *text; SIZE_T size; UINT encoding; };

static void dxc(HMODULE library, const char *path) {
    static Object *compiler;
    Create create = (Create)(void *)GetProcAddress(library, "DxcCreateInstance");
    if (!compiler && FAILED(create(&COMPILER_CLASS, &COMPILER_3, (void **)&compiler))) {
        printf("DXC does not start\n");
        exit(2);
    }
    size_t size;
    char *text = text_of(path, &size);
    struct Source source = {text, size, CP_UTF8};
    const wchar_t *options[] = {L"-T", L"cs_6_2", L"-E", L"main", L"-enable-16bit-types", L"-HV", L"2018"};
    Object *result = NULL, *messages = NULL;
    HRESULT status = CALL(compiler, 3, HRESULT,
        (Object *, const struct Source *, const wchar_t **, UINT, void *, const GUID *, Object **),
        &source, options, sizeof options / sizeof *options, NULL, &RESULT, &result);
    if (SUCCEEDED(status)) {
        HRESULT of_code = E_FAIL;
        CALL(result, 3, HRESULT, (Object *, HRESULT *), &of_code);
        status = of_code;
        CALL(result, 5, HRESULT, (Object *, Object **), &messages);
    }
    report(path, status, messages ? CALL(messages, 3, const char *, (Object *)) : NULL,
           messages ? CALL(messages, 4, SIZE_T, (Object *)) : 0);
    if (messages) RELEASE(messages);
    if (result) RELEASE(result);
    free(text);
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    int is_fxc = !strcmp(arguments[1], "fxc");
    HMODULE library = LoadLibraryA(is_fxc ? "d3dcompiler_47.dll" : "dxcompiler.dll");
    if (!library) { printf("the compiler does not load: error %lu\n", GetLastError()); return 2; }
    for (int i = 2; i < count; i++) (is_fxc ? fxc : dxc)(library, arguments[i]);
    fflush(stdout);
    // Without unloading FXC, which fails under wine now and then.
    TerminateProcess(GetCurrentProcess(), 0);
}
