"Tasks of chapter 00, the data."
from digit_under_hood.choose import Choose, Predict


class people_apart(Choose):
    "Why does it matter that the *people* of the two splits are separate, and not only the pictures?"
    concept = 'validation set'
    hints = ('Whose handwriting will a program meet when it is used?',
             'What could it remember about you, if some of your 7s were there to learn from?')
    right = 'We want to know how the program does on people that it has never met.'
    wrong = {
        'Otherwise a picture could be in both splits.': 'Two different pictures by one person are '
        'not the same picture. They are alike all the same: in what?',
        'Otherwise the two splits would not be equally hard.': 'They need not be, and half of this '
        'test set is harder than the other. What does a program gain from having met the writer?',
        'Otherwise some people would have written more than others.': 'That they did in any case. '
        'It says little about what is tested.'}
    why = ('If your 7s were in both sets, the program could look good by remembering your hand. '
           'Whoever uses it later has a hand that it has never seen.')


class ten_objects(Choose):
    """
    You photograph ten objects with your phone, twenty times each, and split the 200 photos at
    random into a training and a validation set. What will the validation set *not* tell you?
    """
    concept = 'validation set'
    hints = ('Lay a photo of the validation set beside its nearest neighbours. Where are they?',
             'What will be new when somebody else uses the program?')
    right = 'how the program does with other phones, other light, other specimens of the objects'
    wrong = {
        'how the program does on photos that it has not seen': 'That it does tell: no photo is in '
        'both sets. But how unlike the others are these photos?',
        'anything at all, as 200 photos are too few': 'Few photos make it unsure, and an interval '
        'says how much. Taken in the same hour with the same phone, two million would have another '
        'fault.',
        'which of the ten objects are confused with each other': 'It does: each of its photos has a '
        'label, so you can see what is taken for what.'}
    why = ('Each validation photo has near twins in the training set. MNIST was split by *writers* '
           'for this reason. Split by what will be new when it counts.')


class ten_images(Choose):
    "A model is right on 97.0% of the 10,000 test images, another one on 97.1%. Which is better?"
    concept = 'confidence interval'
    hints = ('How many images is 0.1% of the test set?', 'How many of its labels are doubtful?')
    right = 'Nobody can know from this.'
    wrong = {
        'The second one, by a tenth of a percent.': 'By ten images. Would you bet that on the next '
        '10,000 it is ahead by ten again?',
        'Neither: they are equally good.': 'That would be a finding too, and ten images do not '
        'settle it either way.',
        'The first one, as the second has learnt the test set by heart.': 'It may have, or not. '
        'An accuracy alone tells nothing about that.'}
    why = ('They differ by ten images, and fifteen labels are doubtful: those alone could turn the '
           'order round.')


class true_alarms(Predict):
    """
    An alarm finds 90% of the wrong labels and flags 3% of the right ones. One label in a thousand
    is wrong. How many of a hundred of its alarms are true?
    """
    concept = 'base rate'
    hints = ('Take 100,000 labels. How many are wrong, and how many of those does it flag?',
             'How many are right, and how many of *those* does it flag?')
    value, within = 2.9, .3
    wrong = {90: 'That is the share of the *wrong labels* that it flags. Asked is for the share of '
                 'what it flags that is wrong.',
             97: 'That is the share of the right labels that it leaves in peace.',
             30: '90 against 3? These are shares of two groups, and one of them is a thousand times '
                 'as large as the other.',
             .1: 'That is the base rate, how many of a thousand *labels* are wrong. The alarm does '
                 'better than to flag at random.'}
    why = ('In 100,000 labels 100 are wrong, and it flags 90 of them. Of the 99,900 right ones it '
           'flags 2,997. So 90 of 3,087 alarms are true, three in a hundred.')
