"""How a description or a caption is asked for in training: in many wordings, so that a model understands whichever a user has."""

from hawk_pipelines.schema import DESCRIBE

DESCRIPTION_REQUESTS = (
    DESCRIBE,
    "Describe what is unusual in this video.",
    "Say what unusual event happens here.",
    "Tell me about the anomaly in the video.",
    "Explain what goes wrong in this video.",
    "Give a description of the abnormal event.",
    "Report what is out of the ordinary in the footage.",
    "Summarise the incident that the camera recorded.",
    "Point out what is not normal in this scene.",
    "Write a short report on the unusual event.",
    "Let me know whether something unusual happens, and what.",
    "Describe the anomaly: who is involved, and what do they do?",
    "What happens in this video that should not happen?",
    "What unusual event can be seen in the video?",
    "What is abnormal in this footage?",
    "What would a guard who watches this have to report?",
    "Is there an anomaly in the video, and what is it?",
    "Which event in this scene stands out, and how?",
    "Does anything out of the ordinary happen here?",
    "What should I know about the incident in this video?",
)
"""Of the description task, in no order (HAWK, section 4.4, has about 20)."""

CAPTION_REQUESTS = (
    "Describe the video.",
    "Describe what is to be seen in this video.",
    "Say in one sentence what happens here.",
    "Give a caption for this video.",
    "Summarise the video in a sentence.",
    "Tell me what the video shows.",
    "Write down what can be seen.",
    "What happens in this video?",
    "What does the video show?",
    "What is to be seen here?",
)
"""Of pretraining."""
