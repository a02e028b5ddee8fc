/** Comments of @types/node link to names of events, which are no declarations: `{@link 'connection'}`. They become text. */
export function load(app) {
  app.converter.on('resolveBegin', ({ project }) => {
    for (const { comment } of Object.values(project.reflections)) {
      for (const parts of [comment?.summary ?? [], ...(comment?.blockTags ?? []).map(({ content }) => content)]) {
        parts.forEach((part, i) => {
          if (part.kind === 'inline-tag' && part.text.startsWith("'")) parts[i] = { kind: 'text', text: part.text };
        });
      }
    }
  });
}
