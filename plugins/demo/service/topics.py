"""What people speak about, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """What a call is about. `mood` shifts the sentiment: above 0 people are content more often."""

    name: str
    phrases: tuple[str, ...]
    opening: str
    wishes: tuple[str, ...]
    answers: tuple[str, ...]
    result: str
    mood: float


TOPICS = {
    topic.name: topic
    for topic in (
        Topic(
            "billing",
            (
                "billing issue",
                "invoice",
                "double charge",
                "refund",
                "payment method",
                "due date",
                "late fee",
                "tax number",
                "billing address",
                "credit note",
            ),
            "I am calling about your latest invoice. Is this a good moment?",
            (
                "I was charged twice this month.",
                "I do not understand the second line of the invoice.",
                "My card has expired, can I pay another way?",
                "The late fee cannot be right, I paid on time.",
                "Could you send the invoice to our accountant instead?",
            ),
            (
                "I see it here, and I am sorry about that.",
                "I have opened the invoice in front of me.",
                "I can change that for you right away.",
                "The credit will be on your account within three days.",
            ),
            "the charge was corrected",
            -0.25,
        ),
        Topic(
            "renewal",
            (
                "contract renewal",
                "price increase",
                "discount",
                "annual plan",
                "cancel subscription",
                "better offer",
                "notice period",
                "competitor",
                "loyalty bonus",
            ),
            "your plan renews next month, and I would like to go through the options with you.",
            (
                "Is the price going up again?",
                "What would an annual plan cost?",
                "Another provider has offered me less.",
                "How long is the notice period?",
                "I would stay if there were a discount.",
            ),
            (
                "With the annual plan you save two months.",
                "I can offer you ten percent for the next year.",
                "The notice period is one month.",
                "Let me note that down for you.",
            ),
            "the plan was renewed for a year",
            0.05,
        ),
        Topic(
            "appointment",
            (
                "appointment",
                "reschedule",
                "next week",
                "reminder",
                "morning slot",
                "insurance card",
                "first visit",
                "waiting list",
            ),
            "I am calling to confirm your appointment next week.",
            (
                "Could we move it to the morning?",
                "What should I bring with me?",
                "Thursday does not suit me any more.",
                "Is parking available near you?",
            ),
            (
                "Tuesday at half past nine is free.",
                "Please bring your insurance card.",
                "I have moved it, and you will get a message.",
                "Yes, behind the building.",
            ),
            "the appointment was confirmed",
            0.35,
        ),
        Topic(
            "delivery",
            (
                "delivery delay",
                "tracking number",
                "parcel",
                "new address",
                "damaged item",
                "return label",
                "neighbour",
                "delivery window",
            ),
            "I am calling about the parcel that is on its way to you.",
            (
                "It is three days late already.",
                "The tracking number does not work.",
                "Can you leave it with a neighbour?",
                "The box was open when it came.",
            ),
            (
                "It left the depot this morning.",
                "I am sending you a new tracking link.",
                "I have told the driver.",
                "You will get a return label by e-mail.",
            ),
            "a new delivery date was agreed",
            -0.1,
        ),
        Topic(
            "onboarding",
            (
                "first steps",
                "account access",
                "password reset",
                "mobile app",
                "import contacts",
                "team members",
                "training session",
                "data export",
            ),
            "welcome on board! May I help you with the first steps?",
            (
                "I cannot get into my account.",
                "How do I add two colleagues?",
                "Is there an app for my phone?",
                "Can I bring my contacts with me?",
            ),
            (
                "I have sent you a link to reset the password.",
                "Under Settings, then Team, and they get an invitation.",
                "Yes, for both kinds of phones.",
                "There is an import in the menu on the left.",
            ),
            "the account was set up",
            0.3,
        ),
        Topic(
            "survey",
            ("satisfaction", "feedback", "support quality", "recommend", "opening hours", "website", "response time"),
            "may I ask you three short questions about your last contact with us?",
            (
                "It took long until somebody answered.",
                "I would recommend you, yes.",
                "The website is confusing.",
                "Your colleague was very friendly.",
            ),
            (
                "Thank you, that helps us a lot.",
                "On a scale from one to ten, what would you give?",
                "I have noted that down.",
            ),
            "the survey was answered",
            0.15,
        ),
        Topic(
            "outage",
            ("service outage", "no connection", "router restart", "technician", "compensation", "status page"),
            "how can I help you?",
            (
                "Nothing works since this morning.",
                "I have restarted the router three times.",
                "When will it be back?",
                "I need this for my business!",
            ),
            (
                "There is an outage in your area, and we are working on it.",
                "A technician is on the way.",
                "We will credit you the day.",
            ),
            "the outage was explained",
            -0.9,
        ),
    )
}
EMOTIONS = {
    "positive": ("satisfied", "relieved", "grateful", "happy", "excited"),
    "neutral": ("calm", "curious", "hesitant"),
    "negative": ("frustrated", "angry", "confused", "disappointed", "anxious"),
}
COMMON_PHRASES = ("thank you", "call me back", "speak to a person", "send me an e-mail", "not now", "good to know")
WELCOME = "how can I help you?"
GREETINGS = ("Hello, this is {agent};", "Good day, {agent} speaking;", "Hi, you are talking to {agent};")
ENDINGS = {
    "positive": ("Great, thank you so much!", "Perfect, that was quick.", "Wonderful. Have a nice day!"),
    "neutral": ("All right.", "Fine, I will wait for the message then.", "I will think about it."),
    "negative": ("This should not happen again.", "I am not happy with that.", "Then I want to speak to a person."),
}
