// A Vulkan layer for kernels.py, above Mesa's RADV for a GPU that is not there: it compiles, but has no memory types, no
// timeline semaphores and no queue that works. The layer stands in for these: buffers are the host's memory, and what
// is submitted is done at once and changes nothing. On standard error, among what RADV prints of each kernel:
//
//     @@pipeline HANDLE     after all that belongs to it
//     @@name HANDLE NAME    sooner or later
//
// No Vulkan headers are needed: what the layer uses of them is declared here, by Vulkan's registry (vk.xml).

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void (*Function)(void);
typedef Function (*GetProcAddr)(void *parent, const char *name);
typedef uint64_t Handle;
typedef struct Chain { uint32_t type; const struct Chain *next; } Chain;

enum { SUCCESS = 0, FAILED = -3 };
enum { LAYER_INSTANCE_INFO = 47, LAYER_DEVICE_INFO = 48, TIMELINE_SUBMIT = 1000207003, SEMAPHORE_TYPE = 1000207002 };

typedef struct InstanceLink { struct InstanceLink *next; GetProcAddr instance, physical; } InstanceLink;
typedef struct DeviceLink { struct DeviceLink *next; GetProcAddr instance, device; } DeviceLink;
typedef struct { Chain chain; int function; union { InstanceLink *instance; DeviceLink *device; } link; } LayerInfo;

typedef struct { uint32_t flags, heap; } MemoryType;
typedef struct { uint64_t size; uint32_t flags; } MemoryHeap;
typedef struct { uint32_t n_types; MemoryType types[32]; uint32_t n_heaps; MemoryHeap heaps[16]; } Memory;
typedef struct { Chain chain; Memory memory; } Memory2;
typedef struct { uint64_t size, alignment; uint32_t types; } Requirements;
typedef struct { Chain chain; Requirements requirements; } Requirements2;
typedef struct { Chain chain; uint32_t kind; uint64_t value; } SemaphoreType;
typedef struct { Chain chain; Handle semaphore; uint64_t value; } Signal;
typedef struct { Chain chain; uint32_t n_waits; const uint64_t *waits; uint32_t n_values; const uint64_t *values; } TimelineSubmit;
typedef struct {
    Chain chain;
    uint32_t n_waits; const Handle *waits; const uint32_t *stages;
    uint32_t n_commands; void *const *commands;
    uint32_t n_signals; const Handle *signals;
} Submit;
typedef struct { Chain chain; uint32_t kind; Handle object; const char *name; } ObjectName;

// The program opens one device, the last one made.
static GetProcAddr next_instance, next_device;
static void *instance_at, *device_at;
static pthread_mutex_t compiling = PTHREAD_MUTEX_INITIALIZER;

#define OF_INSTANCE(name, types) ((int (*) types)next_instance(instance_at, name))
#define OF_DEVICE(name, types) ((int (*) types)next_device(device_at, name))

// The loader passes on where the next layer or the driver is.
static LayerInfo *layer_info(const Chain *info, uint32_t type) {
    for (const Chain *at = info->next; at; at = at->next)
        if (at->type == type && ((LayerInfo *)at)->function == 0) return (LayerInfo *)at;
    return NULL;
}

static int create_instance(const Chain *info, const void *allocator, void **instance) {
    LayerInfo *layer = layer_info(info, LAYER_INSTANCE_INFO);
    if (!layer) return FAILED;
    next_instance = layer->link.instance->instance;
    layer->link.instance = layer->link.instance->next;
    instance_at = NULL;
    int result = OF_INSTANCE("vkCreateInstance", (const Chain *, const void *, void **))(info, allocator, instance);
    instance_at = *instance;
    return result;
}

static int create_device(void *physical, const Chain *info, const void *allocator, void **device) {
    LayerInfo *layer = layer_info(info, LAYER_DEVICE_INFO);
    if (!layer) return FAILED;
    next_device = layer->link.device->device;
    layer->link.device = layer->link.device->next;
    int (*create)(void *, const Chain *, const void *, void **) =
        OF_INSTANCE("vkCreateDevice", (void *, const Chain *, const void *, void **));
    int result = create(physical, info, allocator, device);
    device_at = *device;
    return result;
}

static int create_compute_pipelines(
    void *device, Handle cache, uint32_t n, const void *infos, const void *allocator, Handle *pipelines
) {
    pthread_mutex_lock(&compiling);
    int result = OF_DEVICE("vkCreateComputePipelines", (void *, Handle, uint32_t, const void *, const void *, Handle *))(
        device, cache, n, infos, allocator, pipelines);
    // The program makes one at a time.
    if (result == SUCCESS) fprintf(stderr, "\n@@pipeline %llx\n", (unsigned long long)pipelines[0]);
    pthread_mutex_unlock(&compiling);
    return result;
}

static int name_object(void *device, const ObjectName *info) {
    (void)device;
    const uint32_t pipeline = 19;
    if (info->kind != pipeline || !info->name) return SUCCESS;
    pthread_mutex_lock(&compiling);
    fprintf(stderr, "\n@@name %llx %s\n", (unsigned long long)info->object, info->name);
    pthread_mutex_unlock(&compiling);
    return SUCCESS;
}

// One type of memory, for everything: local to the device, and mapped, coherent and cached on the host.
static void describe_memory(void *physical, Memory *memory) {
    (void)physical;
    memset(memory, 0, sizeof *memory);
    memory->n_types = memory->n_heaps = 1;
    memory->types[0] = (MemoryType){.flags = 1 | 2 | 4 | 8};
    memory->heaps[0] = (MemoryHeap){.size = 16ull << 30, .flags = 1};
}
static void describe_memory_2(void *physical, Memory2 *memory) { describe_memory(physical, &memory->memory); }

static void buffer_requirements(void *device, Handle buffer, Requirements *needed) {
    OF_DEVICE("vkGetBufferMemoryRequirements", (void *, Handle, Requirements *))(device, buffer, needed);
    needed->types = 1;
}
static void buffer_requirements_2(void *device, const void *info, Requirements2 *needed) {
    OF_DEVICE("vkGetBufferMemoryRequirements2", (void *, const void *, Requirements2 *))(device, info, needed);
    needed->requirements.types = 1;
}

// A semaphore is the address of its value.
static uint64_t *value_of(Handle semaphore) { return (uint64_t *)(uintptr_t)semaphore; }

static int create_semaphore(void *device, const Chain *info, const void *allocator, Handle *semaphore) {
    (void)device, (void)allocator;
    uint64_t *value = calloc(1, sizeof *value);
    if (!value) return FAILED;
    for (const Chain *at = info->next; at; at = at->next)
        if (at->type == SEMAPHORE_TYPE) *value = ((const SemaphoreType *)at)->value;
    *semaphore = (uintptr_t)value;
    return SUCCESS;
}
static void destroy_semaphore(void *device, Handle semaphore, const void *allocator) {
    (void)device, (void)allocator;
    free(value_of(semaphore));
}
static int read_semaphore(void *device, Handle semaphore, uint64_t *value) {
    (void)device;
    *value = *value_of(semaphore);
    return SUCCESS;
}
static int signal_semaphore(void *device, const Signal *signal) {
    (void)device;
    *value_of(signal->semaphore) = signal->value;
    return SUCCESS;
}
static int submit(void *queue, uint32_t n, const Submit *submits, Handle fence) {
    (void)queue, (void)fence;
    for (uint32_t i = 0; i < n; i++)
        for (const Chain *at = submits[i].chain.next; at; at = at->next) {
            if (at->type != TIMELINE_SUBMIT) continue;
            const TimelineSubmit *timeline = (const TimelineSubmit *)at;
            for (uint32_t j = 0; j < timeline->n_values; j++) *value_of(submits[i].signals[j]) = timeline->values[j];
        }
    return SUCCESS;
}

static int done(void) { return SUCCESS; }
static void nothing(void) {}

static const struct { const char *name; Function function; } ours[] = {
    {"vkCreateInstance", (Function)create_instance},
    {"vkCreateDevice", (Function)create_device},
    {"vkCreateComputePipelines", (Function)create_compute_pipelines},
    {"vkSetDebugUtilsObjectNameEXT", (Function)name_object},
    {"vkGetPhysicalDeviceMemoryProperties", (Function)describe_memory},
    {"vkGetPhysicalDeviceMemoryProperties2", (Function)describe_memory_2},
    {"vkGetBufferMemoryRequirements", (Function)buffer_requirements},
    {"vkGetBufferMemoryRequirements2", (Function)buffer_requirements_2},
    {"vkCreateSemaphore", (Function)create_semaphore},
    {"vkDestroySemaphore", (Function)destroy_semaphore},
    {"vkGetSemaphoreCounterValue", (Function)read_semaphore},
    {"vkSignalSemaphore", (Function)signal_semaphore},
    {"vkWaitSemaphores", (Function)done},
    {"vkQueueSubmit", (Function)submit},
    {"vkQueueWaitIdle", (Function)done},
    {"vkDeviceWaitIdle", (Function)done},
    {"vkBeginCommandBuffer", (Function)done},
    {"vkEndCommandBuffer", (Function)done},
    {"vkResetCommandBuffer", (Function)done},
    {"vkResetCommandPool", (Function)done},
};

// Those that an extension had first are asked for with its ending.
static Function find(const char *name) {
    size_t length = strlen(name);
    if (length > 3 && !strcmp(name + length - 3, "KHR")) length -= 3;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        if (strlen(ours[i].name) == length && !strncmp(ours[i].name, name, length)) return ours[i].function;
    return strncmp(name, "vkCmd", 5) ? NULL : nothing;
}

static Function get_device_proc_addr(void *device, const char *name) {
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (Function)get_device_proc_addr;
    Function own = find(name);
    return own ? own : next_device(device, name);
}
static Function get_instance_proc_addr(void *instance, const char *name) {
    if (!strcmp(name, "vkGetInstanceProcAddr")) return (Function)get_instance_proc_addr;
    if (!strcmp(name, "vkGetDeviceProcAddr")) return (Function)get_device_proc_addr;
    Function own = find(name);
    return own ? own : instance ? next_instance(instance, name) : NULL;
}

typedef struct { uint32_t type; void *next; uint32_t version; GetProcAddr instance, device, physical; } Interface;

__attribute__((visibility("default"))) int vkNegotiateLoaderLayerInterfaceVersion(Interface *interface) {
    if (interface->version > 2) interface->version = 2;
    interface->instance = get_instance_proc_addr;
    interface->device = get_device_proc_addr;
    interface->physical = NULL;
    return SUCCESS;
}
