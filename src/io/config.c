#include "balans/io/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "balans/base/mem.h"
#include "balans/par/agree.h"

static bal_status copy_text(char **out, const char *text, size_t length)
{
    bal_status st =
        bal_alloc(out, (bal_size)length + 1, "a configuration file");

    if (!bal_failed(st))
        memcpy(*out, text, length);
    return st;
}

/* ---- a node of the document to a setting ---- */

static bal_size line_of(const yaml_node_t *node)
{
    return (bal_size)node->start_mark.line + 1;
}

static const char *text_of(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

/* A name or value that holds a zero byte would be cut without a word. */
static bool is_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE &&
           strlen(text_of(node)) == node->data.scalar.length;
}

static bal_status find_twin(const bal_config *f, const bal_setting *s)
{
    for (bal_size i = 0; i < f->count; i++)
        if (strcmp(f->at[i].key, s->key) == 0)
            return BAL_FAIL(BAL_EUSAGE,
                            "cannot use '%s', line %lld: key '%s' stands in "
                            "line %lld already",
                            f->path, (long long)s->line, s->key,
                            (long long)f->at[i].line);
    return BAL_OK;
}

static bal_status take_pair(bal_config *f, const yaml_node_t *key,
                            const yaml_node_t *value)
{
    bal_status st;
    bal_setting *s = &f->at[f->count];

    if (!is_text(key))
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use '%s', line %lld: a key is not plain text",
                        f->path, (long long)line_of(key));
    s->line = line_of(key);
    BAL_TRY(copy_text(&s->key, text_of(key), key->data.scalar.length));
    BAL_TRY(find_twin(f, s));
    if (!is_text(value))
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use '%s', line %lld: key '%s' needs a single "
                        "value, not a list or a mapping",
                        f->path, (long long)s->line, s->key);
    s->quoted = value->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    BAL_TRY(copy_text(&s->value, text_of(value), value->data.scalar.length));
done:
    return st;
}

static bal_status take_mapping(bal_config *f, yaml_document_t *document)
{
    bal_status st = BAL_OK;
    const yaml_node_t *root = yaml_document_get_root_node(document);

    if (root == NULL)
        return BAL_OK;
    if (root->type != YAML_MAPPING_NODE)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot use '%s', line %lld: the file must be a "
                        "mapping, lines such as 'neighbors: 20'",
                        f->path, (long long)line_of(root));
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    const yaml_node_pair_t *end = root->data.mapping.pairs.top;
    BAL_TRY(bal_alloc(&f->at, end - pair, "a configuration file"));
    for (; pair < end; pair++) {
        /* counted also when it fails, so that its strings are freed */
        st = take_pair(f, yaml_document_get_node(document, pair->key),
                       yaml_document_get_node(document, pair->value));
        f->count++;
        if (bal_failed(st))
            break;
    }
done:
    return st;
}

/* ---- text to a document ---- */

static bal_status fail_syntax(const bal_config *f, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return BAL_FAIL(BAL_ENOMEM, "cannot get memory to read '%s'", f->path);
    return BAL_FAIL(BAL_EUSAGE, "cannot use '%s', line %lld: not YAML: %s",
                    f->path, (long long)parser->problem_mark.line + 1,
                    parser->problem != NULL ? parser->problem : "unknown");
}

/* Loads the next document and takes it, or refuses a second one. */
static bal_status take_document(bal_config *f, yaml_parser_t *parser,
                                bool first)
{
    yaml_document_t document;
    bal_status st = BAL_OK;

    if (yaml_parser_load(parser, &document) == 0)
        return fail_syntax(f, parser);
    if (first)
        st = take_mapping(f, &document);
    else if (yaml_document_get_root_node(&document) != NULL)
        st = BAL_FAIL(BAL_EUSAGE,
                      "cannot use '%s', line %lld: a second document starts "
                      "there; one is allowed",
                      f->path, (long long)document.start_mark.line + 1);
    yaml_document_delete(&document);
    return st;
}

bal_status bal_config_parse(const char *path, const char *text, bal_size length,
                            bal_config **out)
{
    bal_status st;
    bal_config *f = NULL;
    yaml_parser_t parser;

    *out = NULL;
    if (yaml_parser_initialize(&parser) == 0)
        return BAL_FAIL(BAL_ENOMEM, "cannot get memory to read '%s'", path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text,
                                 (size_t)length);
    BAL_TRY(bal_alloc(&f, 1, "a configuration file"));
    BAL_TRY(copy_text(&f->path, path, strlen(path)));
    BAL_TRY(take_document(f, &parser, true));
    BAL_TRY(take_document(f, &parser, false));
    *out = f;
    f = NULL;
done:
    bal_config_destroy(&f);
    yaml_parser_delete(&parser);
    return st;
}

/* ---- a file to text ---- */

static bal_status read_stream(FILE *stream, const char *path, char **text,
                              int64_t *length)
{
    bal_status st =
        bal_alloc(text, BAL_CONFIG_MOST + 1, "a configuration file");

    if (bal_failed(st))
        return st;
    *length = (int64_t)fread(*text, 1, BAL_CONFIG_MOST + 1, stream);
    if (ferror(stream))
        return BAL_FAIL(BAL_EUSAGE, "cannot read configuration file '%s': %s",
                        path, strerror(errno));
    if (*length > BAL_CONFIG_MOST)
        return BAL_FAIL(BAL_EUSAGE,
                        "cannot read configuration file '%s': it has more than "
                        "%d bytes",
                        path, BAL_CONFIG_MOST);
    return BAL_OK;
}

static bal_status read_text(const bal_comm *c, const char *path, char **text,
                            int64_t *length)
{
    if (c->rank != 0)
        return BAL_OK;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL)
        return BAL_FAIL(BAL_EUSAGE, "cannot open configuration file '%s': %s",
                        path, strerror(errno));
    bal_status st = read_stream(stream, path, text, length);
    fclose(stream);
    return st;
}

bal_verdict bal_config_read(bal_comm *c, const char *path, bal_config **out)
{
    bal_verdict st;
    bal_status mine = BAL_OK;
    char *text = NULL;
    int64_t length = 0;

    *out = NULL;
    BAL_TRY(bal_agree(c, read_text(c, path, &text, &length)));
    bal_comm_bcast(c, &length, sizeof length, 0);
    if (c->rank != 0)
        mine = bal_alloc(&text, length, "a configuration file");
    BAL_TRY(bal_agree(c, mine));
    bal_comm_bcast(c, text, length, 0);
    BAL_TRY(bal_agree(c, bal_config_parse(path, text, length, out)));
done:
    if (bal_failed(st))
        bal_config_destroy(out);
    bal_free(&text);
    return st;
}

void bal_config_destroy(bal_config **f)
{
    if (*f == NULL)
        return;
    for (bal_size i = 0; i < (*f)->count; i++) {
        bal_free(&(*f)->at[i].key);
        bal_free(&(*f)->at[i].value);
    }
    bal_free(&(*f)->at);
    bal_free(&(*f)->path);
    bal_free(f);
}
