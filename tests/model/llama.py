"""A small Llama of random weights with a chat tokenizer, as `save_pretrained` writes them."""

from pathlib import Path


def save_llama(folder: Path, width: int) -> Path:
    """Make one, so wide, in a folder."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    from hawk_pipelines.model.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["A person in red is running. Who is running?"], 300)
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
