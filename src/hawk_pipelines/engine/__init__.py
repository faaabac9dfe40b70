"""Running one function over many items: in parallel, once per content, with refusals instead of crashes."""
