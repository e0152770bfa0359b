// A parsed README on the page. Every part is an element made here; nothing of the document is HTML.
import { Fragment, type ReactNode, useMemo } from "react";
import { Link } from "../routing/Link";
import { type Block, type Span, parse, target } from "./parse";

type Props = { text: string; folder: string; objectUrl: (path: string) => string };

export function Markdown({ text, folder, objectUrl }: Props) {
  const blocks = useMemo(() => parse(text), [text]);
  const link = (href: string, children: ReactNode) => {
    const to = target(href, folder);
    if (!to) return <>{children}</>;
    if ("outside" in to)
      return (
        <a href={to.outside} target="_blank" rel="noopener noreferrer nofollow">
          {children}
        </a>
      );
    return <Link to={objectUrl(to.path)}>{children}</Link>;
  };
  return (
    <div className="prose">
      {blocks.map((block, at) => (
        <Part key={at} block={block} link={link} />
      ))}
    </div>
  );
}

type Linked = (href: string, children: ReactNode) => ReactNode;

function Part({ block, link }: { block: Block; link: Linked }): ReactNode {
  const parts = (blocks: Block[]) =>
    blocks.map((one, at) => <Part key={at} block={one} link={link} />);
  switch (block.kind) {
    case "heading": {
      // The page has a title of its own.
      const Heading = `h${Math.min(6, block.level + 1)}` as "h2";
      return (
        <Heading>
          <Line spans={block.spans} link={link} />
        </Heading>
      );
    }
    case "paragraph":
      return (
        <p>
          <Line spans={block.spans} link={link} />
        </p>
      );
    case "code":
      return (
        <pre tabIndex={0}>
          <code>{block.text}</code>
        </pre>
      );
    case "quote":
      return <blockquote>{parts(block.blocks)}</blockquote>;
    case "rule":
      return <hr />;
    case "list": {
      const items = block.items.map((item, at) => <li key={at}>{parts(item)}</li>);
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case "table":
      return (
        <div className="prose-table">
          <table>
            <thead>
              <tr>
                {block.header.map((cell, at) => (
                  <th key={at}>
                    <Line spans={cell} link={link} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {block.rows.map((row, at) => (
                <tr key={at}>
                  {row.map((cell, column) => (
                    <td key={column}>
                      <Line spans={cell} link={link} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      );
  }
}

function Line({ spans, link }: { spans: Span[]; link: Linked }): ReactNode {
  return spans.map((span, at) => {
    switch (span.kind) {
      case "text":
        return <Fragment key={at}>{span.text}</Fragment>;
      case "code":
        return <code key={at}>{span.text}</code>;
      case "strong":
        return (
          <strong key={at}>
            <Line spans={span.spans} link={link} />
          </strong>
        );
      case "em":
        return (
          <em key={at}>
            <Line spans={span.spans} link={link} />
          </em>
        );
      case "del":
        return (
          <del key={at}>
            <Line spans={span.spans} link={link} />
          </del>
        );
      case "link":
        return (
          <Fragment key={at}>{link(span.href, <Line spans={span.spans} link={link} />)}</Fragment>
        );
    }
  });
}
