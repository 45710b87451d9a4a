/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* StartJson and Validate: what a document declares, checked as a whole before anything is registered or
 * touched. Both go through the same checks, so that what Validate says is what StartJson does. */

#include "config/ecosystem.h"
#include "core/file-names.h"
#include "manager/depends-check.h"
#include "manager/listeners.h"
#include "manager/saved-lists.h"
#include "manager/start-internal.h"

#include <inttypes.h>
#include <string.h>

enum {
        ERRORS_MAX = 100,
        DOCUMENT_KEYS = REQUEST_ENVIRONMENT | REQUEST_UPDATE_ENV | REQUEST_CWD | REQUEST_ONLY |
                        REQUEST_PROFILE,
};

/* One app of the document. */
typedef struct DeclaredApp {
        CheckedApp app;
        unsigned index;
        GArray *errors; /* of Error, placed in the document; empty: it has passed */
} DeclaredApp;

typedef struct Document {
        Manager *manager;
        const Caller *caller;
        Request request;
        Ecosystem ecosystem;
        GPtrArray *apps;    /* of DeclaredApp: those that are wanted */
        GHashTable *names;  /* of all apps: const char * of their configs */
        GHashTable *met;    /* those of the option "only" that an app has */
        GPtrArray *configs; /* of AppConfig, which hold the names */
} Document;

static void clear_error(void *item) {
        error_clear(item);
}

static void declared_app_free(void *item) {
        DeclaredApp *declared = item;
        checked_app_done(&declared->app);
        g_array_unref(declared->errors);
        g_free(declared);
}

static void unref_config(void *item) {
        app_config_unref(item);
}

static void document_done(Document *document) {
        g_clear_pointer(&document->apps, g_ptr_array_unref);
        g_clear_pointer(&document->names, g_hash_table_unref);
        g_clear_pointer(&document->met, g_hash_table_unref);
        g_clear_pointer(&document->configs, g_ptr_array_unref);
        ecosystem_done(&document->ecosystem);
        request_done(&document->request);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Document, document_done)

/* Keep what is wrong with an app, and where that is. */
static void add_error(const Document *document, DeclaredApp *declared, Error *cause) {
        if (declared->errors->len < ERRORS_MAX) {
                Error error = { 0 };
                error_move(&error, cause);
                ecosystem_place_error(&document->ecosystem, declared->index, &error);
                g_array_append_val(declared->errors, error);
        }
        error_clear(cause);
}

static int set_text(AppConfig *config, const char *attribute, const char *text, Error *error) {
        g_autoptr(Value) value = value_new_string(text);
        return app_config_set_by_name(config, attribute, value, error);
}

/* A profile that is not used must be good all the same: the message has its key in place of "env". */
static int check_profile(const ValueEntry *entry, Error *error) {
        g_autoptr(AppConfig) scratch = app_config_new();
        g_auto(Error) cause = { 0 };

        if (app_config_set_by_name(scratch, "env", entry->value, &cause) >= 0) {
                return 0;
        }
        const char *rest = g_str_has_prefix(cause.message, "env") ? cause.message + strlen("env") : "";
        return error_set(error, cause.code, "%s%s", entry->key, rest);
}

static int apply_entry(AppConfig *config, const ValueEntry *entry, GHashTable *seen, Error *error) {
        const Attribute *attribute = attribute_find(entry->key);

        if (attribute && !g_hash_table_add(seen, (void *) attribute)) {
                return error_set(
                                error,
                                ERROR_INVALID_CONFIG,
                                "%s: stands there under two of its names",
                                attribute->name);
        }
        if (ecosystem_profile_of(entry->key)) {
                return check_profile(entry, error);
        }
        /* env is put together with its profile afterwards, but looked at here. */
        return app_config_set_by_name(config, entry->key, entry->value, error);
}

static void note_missing_profile(Document *document, const Value *declaration, const AppConfig *config) {
        g_autofree char *key = g_strconcat("env_", document->request.profile, NULL);

        if (!value_get(declaration, key)) {
                g_autofree char *quoted = error_quote(key);
                g_ptr_array_add(document->ecosystem.notices,
                                g_strdup_printf("%s: has no %s", config->name, quoted));
        }
}

static int apply_environment(Document *document, const Value *declaration, AppConfig *config, Error *error) {
        g_autoptr(Value) environment = NULL;

        int r = ecosystem_environment(declaration, document->request.profile, &environment, error);
        return r < 0 || !environment ? r : app_config_set_by_name(config, "env", environment, error);
}

/* Relative to the folder of the call. */
static int apply_cwd(const Document *document, AppConfig *config, Error *error) {
        const char *base = document->request.cwd;

        if (!base || !config->cwd) {
                return 0;
        }
        const UserInfo *user = manager_user(document->manager, document->caller->uid);
        g_autofree char *cwd = file_name_resolve(config->cwd, base, user->home);
        return set_text(config, "cwd", cwd, error);
}

static void apply_declaration(Document *document, const Value *declaration, DeclaredApp *declared) {
        AppConfig *config = declared->app.config;
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        g_auto(Error) cause = { 0 };

        if (document->request.cwd && set_text(config, "cwd", document->request.cwd, &cause) < 0) {
                add_error(document, declared, &cause);
        }
        for (guint i = 0; i < declaration->entries->len; i++) {
                const ValueEntry *entry = &g_array_index(declaration->entries, ValueEntry, i);
                if (apply_entry(config, entry, seen, &cause) < 0) {
                        add_error(document, declared, &cause);
                }
        }
        if (declared->errors->len == 0 && (apply_environment(document, declaration, config, &cause) < 0 ||
                                           apply_cwd(document, config, &cause) < 0)) {
                add_error(document, declared, &cause);
        }
}

/* Whether it is one of those that the call is about; who cannot be named is. */
static bool is_wanted(const Document *document, const char *name, const char *plain_name) {
        char **only = document->request.only;
        bool wanted = !only || !name;

        for (; only && name && *only; only++) {
                if (strcmp(*only, name) == 0 || strcmp(*only, plain_name) == 0) {
                        (void) g_hash_table_add(document->met, *only);
                        wanted = true;
                }
        }
        return wanted;
}

/* Name it. Whoever asks for some apps alone may know it without its profile: PM2 does. */
static bool name_app(Document *document, DeclaredApp *declared) {
        AppConfig *config = declared->app.config;
        g_auto(Error) cause = { 0 };
        g_autofree char *plain_name = NULL;

        int r = checked_app_name(&declared->app, &cause);
        if (r >= 0) {
                plain_name = g_strdup(config->name);
        }
        if (r >= 0 && document->request.profile) {
                r = app_config_append_profile(config, document->request.profile, &cause);
        }
        if (r < 0) {
                add_error(document, declared, &cause);
        }
        return is_wanted(document, config->name, plain_name ? plain_name : config->name);
}

static void check_app(Document *document, DeclaredApp *declared) {
        AppConfig *config = declared->app.config;
        g_auto(Error) cause = { 0 };
        g_autofree char *kept = app_config_list_kept(config);

        if (declared->errors->len == 0 &&
            checked_app_check(document->manager, document->caller->uid, &declared->app, &cause) < 0) {
                add_error(document, declared, &cause);
        }
        if (declared->errors->len == 0) {
                checked_app_count(&declared->app, false);
        }
        if (declared->errors->len == 0 && config->node_args[0] &&
            strcmp(declared->app.plan.interpreter, "none") == 0) {
                g_ptr_array_add(document->ecosystem.notices,
                                g_strdup_printf("%s: node_args is not used without an interpreter",
                                                config->name));
        }
        if (kept) {
                g_ptr_array_add(document->ecosystem.notices,
                                g_strdup_printf("%s: without effect here: %s", config->name, kept));
        }
}

static void declare_app(Document *document, unsigned index) {
        const Value *declaration = document->ecosystem.apps->items->pdata[index];
        DeclaredApp *declared = g_new0(DeclaredApp, 1);
        g_auto(Error) cause = { 0 };

        declared->index = index;
        declared->errors = g_array_new(FALSE, FALSE, sizeof(Error));
        g_array_set_clear_func(declared->errors, clear_error);
        declared->app.config = app_config_new();
        declared->app.caller_env = app_environment_base(
                        document->manager, document->caller->uid, document->request.caller_env);
        apply_declaration(document, declaration, declared);
        AppConfig *config = declared->app.config;
        bool wanted = name_app(document, declared);
        bool named = config->name != NULL;
        g_ptr_array_add(document->configs, app_config_ref(config));
        if (named && !g_hash_table_add(document->names, config->name) && wanted) {
                (void) error_set(
                                &cause,
                                ERROR_INVALID_CONFIG,
                                "name: '%s' stands twice in the document",
                                config->name);
                add_error(document, declared, &cause);
        }
        if (!wanted) {
                declared_app_free(declared);
                return;
        }
        g_ptr_array_add(document->apps, declared);
        check_app(document, declared);
        if (named && document->request.profile) {
                note_missing_profile(document, declaration, config);
        }
}

/* As all of it will be: what one app depends on may stand behind it. */
static void check_dependencies(const Document *document) {
        g_autoptr(DependsCheck) check = depends_check_new(document->manager);
        uid_t owner = document->caller->uid;

        for (guint i = 0; i < document->apps->len; i++) {
                const CheckedApp *app = &((const DeclaredApp *) document->apps->pdata[i])->app;
                for (guint k = 0; app->existing && k < app->existing->len; k++) {
                        depends_check_leave_out(check, app->existing->pdata[k]);
                }
                for (guint k = 0; app->surplus && k < app->surplus->len; k++) {
                        depends_check_leave_out(check, app->surplus->pdata[k]);
                }
                depends_check_add(check, owner, app->config);
        }
        for (guint i = 0; i < document->apps->len; i++) {
                DeclaredApp *declared = document->apps->pdata[i];
                const AppConfig *config = declared->app.config;
                g_auto(Error) cause = { 0 };
                if (config->name && depends_check(check, owner, config, config->autostart, &cause) < 0) {
                        add_error(document, declared, &cause);
                }
        }
}

/* A name that was asked for and is not there is a slip of the pen. */
static int check_only(const Document *document, Error *error) {
        for (char **name = document->request.only; name && *name; name++) {
                if (!g_hash_table_contains(document->met, *name)) {
                        g_autofree char *quoted = error_quote(*name);
                        return error_set(
                                        error,
                                        ERROR_INVALID_CONFIG,
                                        "option only: no app of the document is named %s",
                                        quoted);
                }
        }
        return 0;
}

static int document_check(
                Manager *manager,
                const Caller *caller,
                const char *text,
                const Value *options,
                Document *document,
                Error *error) {
        document->manager = manager;
        document->caller = caller;
        document->apps = g_ptr_array_new_with_free_func(declared_app_free);
        document->names = g_hash_table_new(g_str_hash, g_str_equal);
        document->met = g_hash_table_new(NULL, NULL);
        document->configs = g_ptr_array_new_with_free_func(unref_config);
        int r = request_parse(&document->request, options, DOCUMENT_KEYS, error);
        if (r >= 0) {
                r = ecosystem_decode(text, &document->ecosystem, error);
        }
        if (r < 0) {
                return r;
        }
        for (guint i = 0; i < document->ecosystem.apps->items->len; i++) {
                declare_app(document, i);
        }
        check_dependencies(document);
        return check_only(document, error);
}

/* The first error, and how many there are beside. */
static int refuse_document(const Document *document, Error *error) {
        const Error *first = NULL;
        size_t count = 0;

        for (guint i = 0; i < document->apps->len; i++) {
                const DeclaredApp *declared = document->apps->pdata[i];
                if (declared->errors->len > 0 && !first) {
                        first = &g_array_index(declared->errors, Error, 0);
                }
                count += declared->errors->len;
        }
        if (!first) {
                return 0;
        }
        return count == 1 ? error_set(error, first->code, "%s", first->message)
                          : error_set(error, first->code, "%s (and %zu more)", first->message, count - 1);
}

static int check_room(const Document *document, Error *error) {
        size_t missing = 0;

        for (guint i = 0; i < document->apps->len; i++) {
                missing += ((const DeclaredApp *) document->apps->pdata[i])->app.missing;
        }
        return start_check_room(document->manager, missing, error);
}

/* What becomes of an app. */
typedef enum Action {
        ACTION_START,
        ACTION_REGISTER,    /* autostart is false */
        ACTION_RESTART,     /* it exists */
        ACTION_RECONFIGURE, /* it exists, does not run, and autostart is false */
} Action;

static Action action_of(const CheckedApp *app) {
        bool running = false;

        if (app->existing->len == 0) {
                return app->config->autostart ? ACTION_START : ACTION_REGISTER;
        }
        for (guint i = 0; i < app->existing->len; i++) {
                running = running || process_is_running(app->existing->pdata[i]);
        }
        return app->config->autostart || running ? ACTION_RESTART : ACTION_RECONFIGURE;
}

static int submit(const Document *document, const CheckedApp *app, Operation *operation, Error *error) {
        const Request *request = &document->request;

        Action action = action_of(app);

        if (action == ACTION_RESTART) {
                checked_app_submit(app, COMMAND_RESTART, request->update_env, operation);
        } else if (action == ACTION_RECONFIGURE) {
                checked_app_reconfigure(document->manager, app, operation);
        }
        checked_app_delete_surplus(app, operation);
        return checked_app_register(
                        document->manager,
                        document->caller->uid,
                        app,
                        app->config->autostart,
                        request->wait,
                        operation,
                        error);
}

/* All of them before any app is touched. */
static int prepare_sockets(const Document *document, Error *error) {
        uid_t owner = document->caller->uid;
        int r = 0;

        for (guint i = 0; i < document->apps->len && r >= 0; i++) {
                const DeclaredApp *declared = document->apps->pdata[i];
                Action action = action_of(&declared->app);
                if (action == ACTION_START || action == ACTION_RESTART) {
                        r = checked_app_prepare(document->manager, owner, &declared->app, error);
                }
        }
        for (guint i = 0; i < document->apps->len && r < 0; i++) {
                const DeclaredApp *declared = document->apps->pdata[i];
                listeners_review(document->manager, owner, declared->app.config->name);
        }
        return r;
}

int manager_start_json(
                Manager *manager, const ManagerCall *call, const char *text, Operation **ret, Error *error) {
        g_auto(Document) document = { 0 };

        int r = shutdown_refuse(manager, error);
        if (r >= 0) {
                r = document_check(manager, &call->caller, text, call->options, &document, error);
        }
        if (r >= 0) {
                r = refuse_document(&document, error);
        }
        if (r >= 0) {
                r = check_room(&document, error);
        }
        if (r >= 0) {
                r = prepare_sockets(&document, error);
        }
        if (r < 0) {
                return r;
        }
        Operation *operation = operation_new(manager->event, call->handler, call->userdata);
        operation_set_caller(operation, call->caller.uid);
        for (guint i = 0; i < document.apps->len && r >= 0; i++) {
                DeclaredApp *declared = document.apps->pdata[i];
                r = submit(&document, &declared->app, operation, error);
        }
        if (r < 0) {
                operation_forget(operation);
        } else if (ret) {
                *ret = operation;
        }
        operation_seal_and_invalidate(operation, &document.request);
        return r;
}

static Value *describe_errors(const GArray *errors) {
        Value *messages = value_new_array();

        for (guint i = 0; i < errors->len; i++) {
                value_append(messages, value_new_string(g_array_index(errors, Error, i).message));
        }
        return messages;
}

static Value *describe_ids(const GPtrArray *processes) {
        Value *ids = value_new_array();

        for (guint i = 0; i < processes->len; i++) {
                value_append(ids, value_new_int(((const Process *) processes->pdata[i])->id));
        }
        return ids;
}

static Value *describe_app(const DeclaredApp *declared) {
        static const char *const actions[] = {
                [ACTION_START] = "start",
                [ACTION_REGISTER] = "register",
                [ACTION_RESTART] = "restart",
                [ACTION_RECONFIGURE] = "reconfigure",
        };
        const CheckedApp *app = &declared->app;
        Value *map = value_new_map();

        value_set(map, "name", value_new_string(app->config->name ? app->config->name : ""));
        value_set(map, "index", value_new_int(declared->index));
        if (declared->errors->len > 0) {
                value_set(map, "action", value_new_string("fail"));
                value_set(map, "errors", describe_errors(declared->errors));
                return map;
        }
        value_set(map, "action", value_new_string(actions[action_of(app)]));
        value_set(map, "instances", value_new_int((int64_t) app->existing->len + app->missing));
        if (app->existing->len > 0) {
                const Process *process = app->existing->pdata[0];
                value_set(map, "ids", describe_ids(app->existing));
                value_set(map, "changes", app_config_diff(process->config, app->config));
        }
        if (app->surplus->len > 0) {
                value_set(map, "removed", describe_ids(app->surplus));
        }
        return map;
}

/* "saved": false is a document as without it; the options of one mean nothing to a list. */
static int validate_saved(
                Manager *manager,
                const Caller *caller,
                const char *text,
                const Value *options,
                Value **ret,
                Error *error) {
        g_auto(Request) request = { 0 };

        int r = request_parse(&request, options, DOCUMENT_KEYS | REQUEST_SAVED, error);
        if (r < 0) {
                return r;
        }
        if (request.saved) {
                return saved_list_validate(manager, caller, text, ret, error);
        }
        g_autoptr(Value) others = value_copy(options);
        value_remove(others, "saved");
        return manager_validate(manager, caller, text, others, ret, error);
}

int manager_validate(
                Manager *manager,
                const Caller *caller,
                const char *text,
                const Value *options,
                Value **ret,
                Error *error) {
        g_auto(Document) document = { 0 };
        g_auto(Error) no_room = { 0 };

        if (value_get(options, "saved")) {
                return validate_saved(manager, caller, text, options, ret, error);
        }
        int r = document_check(manager, caller, text, options, &document, error);
        if (r < 0) {
                return r;
        }
        Value *apps = value_new_array(), *notices = value_new_array(), *result = value_new_map();
        Value *errors = value_new_array();
        for (guint i = 0; i < document.apps->len; i++) {
                const DeclaredApp *declared = document.apps->pdata[i];
                value_append(apps, describe_app(declared));
                for (guint k = 0; k < declared->errors->len; k++) {
                        const char *message = g_array_index(declared->errors, Error, k).message;
                        value_append(errors, value_new_string(message));
                }
        }
        if (check_room(&document, &no_room) < 0) {
                value_append(errors, value_new_string(no_room.message));
        }
        for (guint i = 0; i < document.ecosystem.notices->len; i++) {
                value_append(notices, value_new_string(document.ecosystem.notices->pdata[i]));
        }
        value_set(result, "ok", value_new_bool(value_count(errors) == 0));
        value_set(result, "apps", apps);
        value_set(result, "errors", errors);
        value_set(result, "notices", notices);
        *ret = result;
        return 0;
}
